//! What providers are tested on: the pinned tools, moto_server for AWS, a local fake of Azure Resource Manager, and a wrapper
//! that counts what a tool is called for. For tests only: it panics where a test ground cannot be laid.

#[cfg(feature = "grounds")]
pub mod arm;
#[cfg(feature = "aws")]
pub mod moto;
#[cfg(feature = "aws")]
pub mod shim;
pub mod tools;
