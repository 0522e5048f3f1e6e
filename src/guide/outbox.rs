#![doc = concat!(include_str!("links.md"), include_str!("../../docs/OUTBOX.md"))]
