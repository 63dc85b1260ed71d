//! Templates and valid tenants to resources.

mod example;
mod fence;
mod fixture;
mod hostile;
mod limits;
mod reads;
mod releases;
mod repository;
mod scripts;
mod suspended;
mod tasks;
