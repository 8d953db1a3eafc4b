-- Who may use a shared orchestrator, and who did.

CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, record BLOB NOT NULL) STRICT;

CREATE TABLE grants (
  name TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  record BLOB NOT NULL
) STRICT;

CREATE TABLE join_tokens (
  -- SHA-256 of the token's secret part.
  hash TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  expire_time INTEGER NOT NULL
) STRICT;

-- Only ever appended to; each entry holds a hash over itself and the one before.
CREATE TABLE audit (sequence INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
