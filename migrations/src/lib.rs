//! larder-migrations
