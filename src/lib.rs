#![doc = include_str!("ARCHITECTURE.md")]

pub mod model;

pub mod answer;
pub mod audit;
pub mod budget;
pub mod cache;
pub mod job;
pub mod plan;
pub mod retention;

pub mod config;
pub mod daemon;
pub mod project;
pub mod runner;
pub mod store;

pub mod dispatch;

pub mod cli;
mod document;
pub mod error;
pub mod logging;
pub mod mcp;
