#include "services/orchestrator/store/postgres_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PostgresAddress Parse(absl::string_view url) {
  unsetenv("PGSSLMODE");
  const absl::StatusOr<PostgresAddress> address = PostgresAddress::Parse(url);
  EXPECT_TRUE(address.ok()) << address.status();
  return *address;
}

std::string Parameter(absl::string_view url, const std::string& name) {
  const std::map<std::string, std::string> parameters = Parse(url).parameters();
  const auto it = parameters.find(name);
  return it == parameters.end() ? "" : it->second;
}

TEST(PostgresAddressTest, APasswordIsKnownAndNeverPrinted) {
  for (const char* url : {"postgres://me:se%40cret@db:5433/machines",
                          "postgresql://me@db:5433/machines?password=se%40cret"}) {
    const PostgresAddress address = Parse(url);
    EXPECT_TRUE(address.has_password());
    EXPECT_EQ(address.printable(), "postgres://me@db:5433/machines");
    EXPECT_EQ(address.parameters().at("password"), "se@cret");
  }
  EXPECT_FALSE(Parse("postgres://me@db/machines").has_password());
}

TEST(PostgresAddressTest, AServerElsewhereIsVerifiedUnlessToldOtherwise) {
  EXPECT_EQ(Parameter("postgres://db/machines", "sslmode"), "verify-full");
  EXPECT_EQ(Parameter("postgres://db,localhost/machines", "sslmode"), "verify-full");
  EXPECT_EQ(Parameter("postgres://db/machines?sslmode=require", "sslmode"), "require");
  EXPECT_EQ(Parameter("postgres://localhost/machines", "sslmode"), "");
  EXPECT_EQ(Parameter("postgres:///machines?host=/run/postgresql", "sslmode"), "");
}

TEST(PostgresAddressTest, WhatTheUrlSaysWinsOverTheDefaults) {
  EXPECT_EQ(Parameter("postgres://db/m", "connect_timeout"), "5");
  EXPECT_EQ(Parameter("postgres://db/m?connect_timeout=30", "connect_timeout"), "30");
}

TEST(PostgresAddressTest, AMalformedUrlIsRefusedWithoutQuotingIt) {
  for (const char* url : {"", "host=db password=secret", "postgres://me:secret@[db", "mysql://x",
                          "postgres://me:secret@db/m?colour=red", "postgres://me:secret%zz@db/m"}) {
    const absl::Status status = PostgresAddress::Parse(url).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("postgres://USER@HOST:PORT/DATABASE"));
  }
}

}  // namespace
}  // namespace machine::orchestrator
