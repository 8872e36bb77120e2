//! larder-services
