-- The outbox of revocations, in PostgreSQL 13 or later. To be run by the owner of the tables, in the schema that the roles of the
-- application and of the gateways have in their search_path. It may be run again.
--
-- An application revokes in its own transaction:
--
--     insert into revocation_outbox (event) values ($1)
--
-- with a CloudEvent of the open format. Who reads in the order of (xid, n), below the oldest transaction that still runs, misses
-- nothing, in whatever order transactions commit.

-- Two programs may start at the same time.
select pg_advisory_xact_lock(hashtext('revocation_outbox'));

create table if not exists revocation_outbox (
    xid   xid8        not null default pg_current_xact_id(),
    n     bigint      not null generated always as identity,
    at    timestamptz not null default clock_timestamp(),
    event text        not null,
    primary key (xid, n)
);

-- One row. `log` tells this table from another one of the same name; (trimmed_xid, trimmed_n) is the newest row that was removed.
-- Whoever removes rows writes it in the same transaction. All that was removed had been committed before `trimmed_at`.
create table if not exists revocation_log (
    is_one      boolean     primary key default true check (is_one),
    log         uuid        not null default gen_random_uuid(),
    began       timestamptz not null default clock_timestamp(),
    trimmed_xid xid8        not null default '0',
    trimmed_n   bigint      not null default 0,
    trimmed_at  timestamptz
);
insert into revocation_log default values on conflict do nothing;

-- What had been committed at which time: everything below `below`.
create table if not exists revocation_marks (
    below xid8        primary key,
    at    timestamptz not null default clock_timestamp()
);

-- Messages that no gateway could read, each once for all of them.
create table if not exists revocation_dead_letters (
    key     text        primary key,
    payload bytea       not null,
    about   text        not null,
    at      timestamptz not null default clock_timestamp()
);

-- Wakes the readers once for each transaction: notifications of one text are one, and an empty text cannot be too long. A transaction
-- that revokes waits for the disk, also where others need not: otherwise a crash could take back what gateways refuse already.
create or replace function revocation_outbox_added() returns trigger language plpgsql as $$
begin
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    perform pg_notify('revocation_log', '');
    return null;
end
$$;
do $$
begin
    -- Making it anew would wait for every transaction that revokes.
    if not exists (select from pg_trigger where tgrelid = 'revocation_outbox'::regclass and tgname = 'revocation_outbox_added') then
        create trigger revocation_outbox_added after insert on revocation_outbox
            for each statement execute function revocation_outbox_added();
    end if;
end
$$;

-- Removes what had been committed when a mark was made, and returns how many rows that were.
create or replace function revocation_outbox_trim_below(mark xid8, marked_at timestamptz) returns bigint language plpgsql as $$
declare
    removed bigint;
begin
    -- A mark of another server may lie ahead of what is known here.
    if mark > pg_snapshot_xmin(pg_current_snapshot()) then
        raise 'mark % lies ahead: it was made by another server', mark;
    end if;
    perform from revocation_log for update;
    with gone as (delete from revocation_outbox where xid < mark returning xid, n),
         newest as (select xid, n from gone order by xid desc, n desc limit 1),
         noted as (update revocation_log set trimmed_xid = newest.xid, trimmed_n = newest.n,
                          trimmed_at = greatest(trimmed_at, marked_at) from newest)
    select count(*) into removed from gone;
    return removed;
end
$$;

-- Removes what is older than the retention, and returns how many rows that were. To be called every minute or so: it remembers each
-- time what is committed by then, since a row's own time is that of a statement, and its transaction may last long.
create or replace function revocation_outbox_trim(retention interval) returns bigint language plpgsql as $$
declare
    mark revocation_marks;
    removed bigint := 0;
begin
    insert into revocation_marks (below) values (pg_snapshot_xmin(pg_current_snapshot())) on conflict do nothing;
    select * into mark from revocation_marks where at <= clock_timestamp() - retention order by below desc limit 1;
    if found then
        removed := revocation_outbox_trim_below(mark.below, mark.at);
        delete from revocation_marks where below <= mark.below;
    end if;
    return removed;
end
$$;

-- After a restore into another server: its transactions have smaller numbers than the rows, and would sort before them. A new log
-- begins, with the rows that there are. Readers take that for a gap.
create or replace function revocation_outbox_renew() returns boolean language plpgsql as $$
begin
    perform from revocation_log for update;
    if not exists (select from revocation_outbox where xid >= pg_snapshot_xmax(pg_current_snapshot()) and xid <> pg_current_xact_id())
       and not exists (select from revocation_log where trimmed_xid >= pg_snapshot_xmax(pg_current_snapshot())) then
        return false;
    end if;
    update revocation_outbox set xid = pg_current_xact_id();
    delete from revocation_marks;
    update revocation_log set log = gen_random_uuid(), began = clock_timestamp(), trimmed_xid = '0', trimmed_n = 0, trimmed_at = null;
    perform pg_notify('revocation_log', '');
    return true;
end
$$;
select revocation_outbox_renew();
