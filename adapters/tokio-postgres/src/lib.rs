//! larder-tokio-postgres
