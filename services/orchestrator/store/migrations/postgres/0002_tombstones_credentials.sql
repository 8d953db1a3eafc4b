-- Machines that were removed by force while their providers did not let the instances go.
CREATE TABLE tombstones (
  uid TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  next_attempt BIGINT NOT NULL,
  record BYTEA NOT NULL
);

CREATE INDEX tombstones_by_time ON tombstones (next_attempt);

CREATE TABLE credentials (name TEXT COLLATE "C" NOT NULL PRIMARY KEY, record BYTEA NOT NULL);
