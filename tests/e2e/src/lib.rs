//! larder-e2e
