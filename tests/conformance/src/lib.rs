//! larder-conformance
