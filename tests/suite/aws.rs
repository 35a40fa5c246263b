//! What is there on AWS, which an emulator stands for: it shows what is called and what comes of it, not how long AWS
//! takes, and neither what it refuses.

pub mod cloud;
mod data;
mod health;
mod logs;
mod looks;
mod query;
mod replay;
mod rights;
mod second_opinion;
mod stream;
mod stuck;
mod tables;
mod tail;
mod up;
