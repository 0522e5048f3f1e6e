//! What a broker of Kafka sends, or whoever answers on its port.

use std::cell::RefCell;
use std::io::Write;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;

use super::world;
use crate::source::error::SourceError;
use crate::source::kafka::wire::{
    BrokerConnection, Fetch, FetchAnswer, KafkaRequest, LAST_STABLE, ListOffsets, MetadataRequest, NewRecord, Produce,
    RecordBatch, SaslAuthenticate, SaslHandshake,
};

/// Whatever comes is read or is an error, and what is made of it was there.
pub(crate) fn check(input: &[u8]) {
    // What is no answer is an error, and that is all.
    let _ = read(input);
}

/// Reads an answer: the first byte says to which request, and the second one in which version.
pub(crate) fn read(input: &[u8]) -> Result<(), SourceError> {
    let [kind, version, answer @ ..] = input else {
        return Ok(());
    };
    match kind % 8 {
        BATCHES => {
            check_batches(&with_checksums(answer));
            Ok(())
        }
        RAW => run(async {
            let stream = Broker::raw(answer);
            let mut connection = BrokerConnection::begin(Box::new(stream), "gateway").await?;
            connection.call(&metadata()).await.map(drop)
        }),
        0 => ask(metadata(), *version, answer).map(drop),
        1 => {
            let fetched = ask(fetch(*version), *version, answer)?;
            check_fetched(&fetched, answer);
            Ok(())
        }
        2 => ask(list_offsets(), *version, answer).map(drop),
        3 => ask(produce(), *version, answer).map(drop),
        4 => ask(handshake(), *version, answer).map(drop),
        _ => ask(authenticate(), *version, answer).map(drop),
    }
}

fn check_fetched(fetched: &FetchAnswer, answer: &[u8]) {
    if let Some(partition) = &fetched.partition {
        assert!(partition.records.len() <= answer.len());
        assert!(partition.aborted.len() <= answer.len());
        check_batches(&partition.records);
    }
}

fn check_batches(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut behind = 0;
    for batch in RecordBatch::all(bytes.clone()) {
        assert_eq!(
            batch.raw,
            bytes[behind..behind + batch.raw.len()],
            "they lie one behind the other"
        );
        behind += batch.raw.len();
        assert!(batch.base <= batch.last);
        let _ = (batch.has_holes(), batch.is_abort());
        let Ok(records) = batch.records() else { continue };
        let mut before = None;
        for record in &records {
            assert!(
                (batch.base..=batch.last).contains(&record.offset),
                "it has a place of its batch"
            );
            assert!(before < Some(record.offset), "they are in order");
            before = Some(record.offset);
        }
    }
    assert!(behind <= bytes.len());
}

/// As whoever means harm would send them: the sums are right.
fn with_checksums(batches: &[u8]) -> Vec<u8> {
    let mut bytes = batches.to_vec();
    let mut begin = 0;
    while let Some(length) = bytes.get(begin + 8..begin + 12) {
        let length = u32::from_be_bytes(length.try_into().expect("there are four")) as usize;
        let end = begin + 12 + length;
        if length < 9 || end > bytes.len() {
            break;
        }
        let sum = crc32c::crc32c(&bytes[begin + 21..end]);
        bytes[begin + 17..begin + 21].copy_from_slice(&sum.to_be_bytes());
        begin = end;
    }
    bytes
}

fn run<T>(reading: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow_mut(|runtime| runtime.get_or_insert_with(world::runtime).block_on(reading))
}

/// Asks a broker that speaks one version, and answers with these bytes.
fn ask<R: KafkaRequest>(request: R, version: u8, answer: &[u8]) -> Result<R::Answer, SourceError> {
    let versions = R::API.oldest..request.newest() + 1;
    let version = versions.start + i16::from(version) % (versions.end - versions.start);
    run(async {
        let stream = Broker::speaking::<R>(version, answer);
        let mut connection = BrokerConnection::begin(Box::new(stream), "gateway").await?;
        connection.call(&request).await
    })
}

fn metadata() -> MetadataRequest<'static> {
    MetadataRequest { topic: "t" }
}

/// By its identifier or not, as whoever knows it asks.
fn fetch(version: u8) -> Fetch<'static> {
    Fetch {
        topic: "t",
        topic_id: [u8::from(version % 2 == 1); 16],
        partition: 0,
        epoch: 1,
        from: 0,
        last_epoch: 1,
        max_bytes: 1 << 20,
        max_wait_ms: 0,
    }
}

fn list_offsets() -> ListOffsets<'static> {
    ListOffsets {
        topic: "t",
        partition: 0,
        epoch: 1,
        time: LAST_STABLE,
    }
}

fn produce() -> Produce<'static> {
    Produce {
        topic: "t",
        partition: 0,
        batch: Bytes::new(),
        timeout_ms: 1,
    }
}

const fn handshake() -> SaslHandshake {
    SaslHandshake { mechanism: "PLAIN" }
}

const fn authenticate() -> SaslAuthenticate {
    SaslAuthenticate { bytes: Vec::new() }
}

/// Answers to whatever it is sent, and then ends.
struct Broker {
    answers: Vec<Vec<u8>>,
    ready: Vec<u8>,
    /// Whether an answer begins with the number of its request, or is sent as it is.
    is_raw: bool,
    read: Range<usize>,
}

impl Broker {
    fn raw(bytes: &[u8]) -> Self {
        Self {
            answers: Vec::new(),
            ready: bytes.to_vec(),
            is_raw: true,
            read: 0..bytes.len(),
        }
    }

    fn speaking<R: KafkaRequest>(version: i16, answer: &[u8]) -> Self {
        let number = |number: i16| number.to_be_bytes();
        let spoken = [
            &number(0)[..],
            &1_i32.to_be_bytes(),
            &number(R::API.key),
            &number(version),
            &number(version),
        ];
        let mut header = Vec::new();
        if R::API.is_flexible(version) {
            header.push(0);
        }
        Self {
            answers: vec![[&header[..], answer].concat(), spoken.concat()],
            ready: Vec::new(),
            is_raw: false,
            read: 0..0,
        }
    }
}

impl AsyncWrite for Broker {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, request: &[u8]) -> Poll<std::io::Result<usize>> {
        if !self.is_raw
            && let Some(answer) = self.answers.pop()
        {
            // Behind the length, the kind and the version.
            let frame = [&request[8..12], &answer].concat();
            let length = u32::try_from(frame.len()).expect("inputs are short");
            self.ready = [&length.to_be_bytes()[..], &frame].concat();
            self.read = 0..self.ready.len();
        }
        Poll::Ready(Ok(request.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Broker {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let from = self.read.start;
        let until = self.read.end.min(from + to.remaining());
        to.put_slice(&self.ready[from..until]);
        self.read.start = until;
        Poll::Ready(Ok(()))
    }
}

/// One answer to each request, in its oldest and its newest version, and batches in each compression.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        // Metadata 4 and 12.
        seed(
            0,
            0,
            "00000000 00000001 00000001 0001 68 00002383 ffff 0001 63 00000001 00000001 0000 0001 74 00 \
             00000001 0000 00000000 00000001 00000001 00000001 00000001 00000001",
        ),
        seed(
            0,
            8,
            "00000000 02 00000001 02 68 00002383 00 00 02 63 00000001 02 0000 02 74 01010101010101010101010101010101 00 \
             02 0000 00000000 00000001 00000001 02 00000001 02 00000001 01 00 80000000 00 00",
        ),
        // ListOffsets 2 and 7.
        seed(
            2,
            0,
            "00000000 00000001 0001 74 00000001 00000000 0000 ffffffffffffffff 0000000000000007",
        ),
        seed(
            2,
            5,
            "00000000 02 02 74 02 00000000 0000 ffffffffffffffff 0000000000000007 00000001 00 00 00",
        ),
        // Produce 3 and 9.
        seed(
            3,
            0,
            "00000001 0001 74 00000001 00000000 0000 0000000000000007 ffffffffffffffff 00000000",
        ),
        seed(
            3,
            6,
            "02 02 74 02 00000000 0000 0000000000000007 ffffffffffffffff 0000000000000000 01 00 00 00 00000000 00",
        ),
        seed(4, 0, "0000 00000001 0005 504c41494e"),
        seed(5, 0, "0000 ffff 00000000"),
        seed(5, 2, "0000 00 01 0000000000000000 00"),
    ];
    let batch = record().to_batch();
    let count = |bytes: &[u8]| u32::try_from(bytes.len()).expect("it is short").to_be_bytes();
    // Fetch 4, and 13, with where another log branches off.
    let mut old = seed(
        1,
        0,
        "00000000 00000001 0001 74 00000001 00000000 0000 0000000000000001 0000000000000001 00000000",
    );
    old.extend([&count(&batch)[..], &batch].concat());
    let mut new = seed(
        1,
        9,
        "00000000 0000 00000000 02 01010101010101010101010101010101 02 00000000 0000 0000000000000001 0000000000000001 \
         0000000000000000 02 0000000000000005 0000000000000000 00 ffffffff",
    );
    new.push(u8::try_from(batch.len() + 1).expect("one byte is enough"));
    new.extend([&batch[..], &hex("01 00 0d 00000001 0000000000000000 00 00 00")].concat());
    seeds.extend([old, new]);
    let is_compressed = |codec: u8, bytes: &[u8]| [&[BATCHES, 0][..], &compressed(&batch, codec, bytes)].concat();
    let records = &batch[RECORDS..];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(records).expect("a vector takes it");
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(records).expect("a vector takes it");
    seeds.extend([
        [&[BATCHES, 0][..], &batch, &batch].concat(),
        is_compressed(1, &gzip.finish().expect("a vector takes it")),
        is_compressed(
            2,
            &snap::raw::Encoder::new().compress_vec(records).expect("it is short"),
        ),
        is_compressed(3, &lz4.finish().expect("a vector takes it")),
        is_compressed(
            4,
            &ruzstd::encoding::compress_to_vec(records, ruzstd::encoding::CompressionLevel::Fastest),
        ),
        // What it speaks, and an answer to the next request that is none.
        seed(
            RAW,
            0,
            "00000010 00000001 0000 00000001 0003 0004 000c 00000005 00000002 00",
        ),
    ]);
    seeds
}

fn record() -> NewRecord<'static> {
    NewRecord {
        time: 1_767_225_600_000,
        key: Some(b"key"),
        value: b"value",
        header: Some(("json", b"{}")),
    }
}

/// The batch with other records, and their compression.
fn compressed(batch: &[u8], codec: u8, records: &[u8]) -> Vec<u8> {
    let mut other = [&batch[..RECORDS], records].concat();
    other[ATTRIBUTES] |= codec;
    let length = u32::try_from(other.len() - 12).expect("it is short");
    other[8..12].copy_from_slice(&length.to_be_bytes());
    other
}

fn seed(kind: u8, version: u8, answer: &str) -> Vec<u8> {
    [&[kind, version][..], &hex(answer)].concat()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("they are digits"), 16);
    digits
        .chunks(2)
        .map(|pair| byte(pair).expect("they are digits"))
        .collect()
}

const BATCHES: u8 = 6;
const RAW: u8 = 7;
/// Where in a batch its records begin, and the lower half of its attributes.
const RECORDS: usize = 61;
const ATTRIBUTES: usize = 22;

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}
