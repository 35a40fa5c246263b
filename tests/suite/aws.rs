//! What is there on AWS, which an emulator stands for: it shows what is called and what comes of it, not how long AWS
//! takes, and neither what it refuses.

mod cloud;
mod data;
mod looks;
mod replay;
mod stuck;
mod tail;
mod up;
