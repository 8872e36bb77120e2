//! larder-sqlx
