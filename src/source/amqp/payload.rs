//! What a message of RabbitMQ says.

use lapin::message::Delivery as Message;
use lapin::types::AMQPValue;

use crate::format::binary_mode::structured;

/// Puts an event that came in CloudEvents' binary mode
/// ([AMQP, section 3.1](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md#31-binary-content-mode))
/// into the form that decoders read.
pub(super) fn as_structured(mut message: Message) -> Message {
    let Some(headers) = message.properties.headers() else {
        return message;
    };
    let attributes = headers.inner().iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let name = name
            .strip_prefix("cloudEvents:")
            .or_else(|| name.strip_prefix("cloudEvents_"))?;
        let value = match value {
            AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
            AMQPValue::ShortString(text) => text.as_str().to_owned(),
            AMQPValue::LongInt(number) => number.to_string(),
            AMQPValue::LongLongInt(number) => number.to_string(),
            AMQPValue::Boolean(truth) => truth.to_string(),
            _ => return None,
        };
        Some((name.to_owned(), value))
    });
    let content_type = message
        .properties
        .content_type()
        .as_ref()
        .map(|content_type| content_type.as_str());
    if let Some(event) = structured(attributes, content_type, &message.data) {
        message.data = event;
    }
    message
}
