-- The outbox of revocations, in SQLite. An application revokes in its own transaction:
--
--     insert into revocation_outbox (event) values (?)
--
-- with a CloudEvent of the open format. The process that is the issuer moves the rows to where it keeps what it publishes, in their
-- order, and then deletes them. SQLite has one writer at a time, so that this is the order of the commits.
create table if not exists revocation_outbox (
    n       integer primary key autoincrement,
    at      text    not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    event   text    not null,
    -- Why the row is no statement, if it is none: it stays here, and holds up no other.
    problem text
);
