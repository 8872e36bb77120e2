//! larder-bench
