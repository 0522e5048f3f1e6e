//! What is special about RabbitMQ.

mod slow;
