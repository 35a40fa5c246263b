//! The pipeline on AWS, which an emulator stands for: it shows what is called and what comes of it, not how long AWS
//! takes, and neither what it refuses.

mod cloud;
mod data;
mod looks;
mod query;
mod stream;
mod stuck;
mod tables;
mod up;
