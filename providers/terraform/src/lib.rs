//! windlass-provider-terraform
