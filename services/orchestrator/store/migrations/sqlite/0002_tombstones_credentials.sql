-- Machines that were removed by force while their providers did not let the instances go.
CREATE TABLE tombstones (
  uid TEXT NOT NULL PRIMARY KEY,
  next_attempt INTEGER NOT NULL,
  record BLOB NOT NULL
) STRICT;

CREATE INDEX tombstones_by_time ON tombstones (next_attempt);

CREATE TABLE credentials (name TEXT NOT NULL PRIMARY KEY, record BLOB NOT NULL) STRICT;
