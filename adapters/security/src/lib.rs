//! larder-security
