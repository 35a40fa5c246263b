mod cli; mod error; mod interrupt; mod rows; mod settings; mod sources; mod targets;
fn main() { }
