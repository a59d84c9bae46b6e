//! windlass-provider-local
