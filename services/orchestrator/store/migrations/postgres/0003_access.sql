-- Who may use a shared orchestrator, and who did.

CREATE TABLE users (id TEXT COLLATE "C" NOT NULL PRIMARY KEY, record BYTEA NOT NULL);

CREATE TABLE grants (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL,
  create_time BIGINT NOT NULL,
  record BYTEA NOT NULL
);

CREATE TABLE join_tokens (
  -- SHA-256 of the token's secret part.
  hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL,
  expire_time BIGINT NOT NULL
);

-- Only ever appended to; each entry holds a hash over itself and the one before.
CREATE TABLE audit (sequence BIGINT NOT NULL PRIMARY KEY, entry BYTEA NOT NULL);
