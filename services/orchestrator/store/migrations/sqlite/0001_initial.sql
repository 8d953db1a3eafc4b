-- Columns beside `record` (a message of records.proto) exist for what SQL must know: order,
-- uniqueness, ownership. Times are microseconds since 1970.

CREATE TABLE orchestrator (id TEXT NOT NULL) STRICT;

CREATE TABLE machines (
  uid TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL,
  -- The highest epoch that any operation of the machine has had.
  fence INTEGER NOT NULL,
  record BLOB NOT NULL
) STRICT;

CREATE TABLE operations (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  machine_uid TEXT NOT NULL,
  machine_name TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  -- Whose lease was taken and who has not been told yet.
  taken_from TEXT NOT NULL DEFAULT '',
  lease_until INTEGER NOT NULL,
  -- Wins over the record, so that a worker's later write cannot undo it.
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  -- NULL while it is open.
  finish_time INTEGER,
  record BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX open_operation_of_machine ON operations (machine_uid)
  WHERE finish_time IS NULL;
CREATE INDEX open_operations ON operations (position) WHERE finish_time IS NULL;
CREATE INDEX operations_of_machine ON operations (machine_name, position);
CREATE INDEX finished_operations ON operations (finish_time) WHERE finish_time IS NOT NULL;

CREATE TABLE events (
  operation INTEGER NOT NULL REFERENCES operations (position) ON DELETE CASCADE,
  sequence INTEGER NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (operation, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  caller TEXT NOT NULL,
  request_id TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  operation TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  PRIMARY KEY (caller, request_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_by_time ON requests (create_time);

CREATE TABLE secrets (
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (name TEXT NOT NULL PRIMARY KEY, record BLOB NOT NULL) STRICT;

CREATE TABLE drivers (name TEXT NOT NULL PRIMARY KEY, record BLOB NOT NULL) STRICT;
