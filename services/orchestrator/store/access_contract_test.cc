// What every Store does with users, grants, join tokens and the audit log.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/audit_chain.h"
#include "services/orchestrator/store/store_contract.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AccessContractTest : public StoreContractTest {
 protected:
  absl::Status PutUser(absl::string_view id, machine::v1::Role role) {
    UserRecord record;
    record.mutable_user()->set_name(absl::StrCat("users/", id));
    record.mutable_user()->set_role(role);
    return Write([record](StoreTransaction& t) { return t.PutUser(record); });
  }
  absl::Status PutGrant(absl::string_view id, absl::string_view user, int64_t seconds) {
    machine::v1::Grant grant;
    grant.set_name(absl::StrCat("grants/", id));
    grant.set_user(absl::StrCat("users/", user));
    grant.mutable_create_time()->set_seconds(seconds);
    return Write([grant](StoreTransaction& t) { return t.PutGrant(grant); });
  }
  std::vector<std::string> Grants() {
    std::vector<std::string> names;
    for (const auto& grant : Get([](StoreReader& r) { return r.ListGrants(); })) {
      names.push_back(grant.name());
    }
    return names;
  }
};

TEST_P(AccessContractTest, UsersAreReplacedFoundAndListedByName) {
  for (const absl::string_view id : {"zoe", "ann", "zoe"}) {
    ASSERT_TRUE(PutUser(id, machine::v1::ROLE_ADMIN).ok());
  }
  const auto users = Get([](StoreReader& r) { return r.ListUsers(); });
  ASSERT_THAT(users, SizeIs(2));
  EXPECT_EQ(users[0].user().name(), "users/ann");
  Reopen();
  const auto zoe = Get([](StoreReader& r) { return r.FindUser("zoe"); });
  ASSERT_TRUE(zoe.has_value());
  EXPECT_EQ(zoe->user().role(), machine::v1::ROLE_ADMIN);
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindUser("zo"); }).has_value());
}

TEST_P(AccessContractTest, AUserGoesWithItsGrantsAndTokens) {
  ASSERT_TRUE(PutUser("ann", machine::v1::ROLE_VIEWER).ok());
  ASSERT_TRUE(PutGrant("1", "ann", 20).ok());
  ASSERT_TRUE(PutGrant("2", "bob", 10).ok());
  ASSERT_TRUE(PutGrant("3", "bob", 30).ok());
  EXPECT_THAT(Grants(), ElementsAre("grants/2", "grants/1", "grants/3"));
  const JoinTokenRecord token{"hash", "ann", clock_.Now() + absl::Hours(1)};
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.PutJoinToken(token); }).ok());
  ASSERT_TRUE(Write([](StoreTransaction& t) { return t.DeleteUser("ann"); }).ok());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindUser("ann"); }).has_value());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindJoinToken("hash"); }).has_value());
  EXPECT_THAT(Grants(), ElementsAre("grants/2", "grants/3"));
  EXPECT_TRUE(Write([](StoreTransaction& t) { return t.DeleteGrant("grants/2"); }).ok());
  EXPECT_EQ(common::ReasonOf(Write([](StoreTransaction& t) { return t.DeleteGrant("grants/2"); })),
            machine::v1::ERROR_REASON_GRANT_NOT_FOUND);
}

TEST_P(AccessContractTest, TokensThatHaveEndedAreForgottenWithTheNextOne) {
  const auto put = [&](const std::string& hash, absl::Duration lifetime) {
    const JoinTokenRecord token{hash, "ann", clock_.Now() + lifetime};
    return Write([token](StoreTransaction& t) { return t.PutJoinToken(token); });
  };
  ASSERT_TRUE(put("short", absl::Minutes(1)).ok());
  ASSERT_TRUE(put("long", absl::Hours(1)).ok());
  const auto found = Get([](StoreReader& r) { return r.FindJoinToken("short"); });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->user_id, "ann");
  EXPECT_EQ(found->expire_time, clock_.Now() + absl::Minutes(1));
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(put("third", absl::Hours(1)).ok());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindJoinToken("short"); }).has_value());
  EXPECT_TRUE(Get([](StoreReader& r) { return r.FindJoinToken("long"); }).has_value());
  ASSERT_TRUE(Write([](StoreTransaction& t) { return t.DeleteJoinToken("long"); }).ok());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindJoinToken("long"); }).has_value());
}

TEST_P(AccessContractTest, AuditEntriesAreAChainWithoutGaps) {
  EXPECT_THAT(Get([](StoreReader& r) { return r.ListAudit(1000, 10); }), IsEmpty());
  for (int i = 1; i <= 5; ++i) {
    machine::v1::AuditEntry entry;
    entry.set_method(absl::StrCat("method ", i));
    if (i == 4) Reopen();
    ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.AppendAudit(entry); }).ok());
    EXPECT_EQ(entry.sequence(), i);
  }
  const auto entries = Get([](StoreReader& r) { return r.ListAudit(1000, 10); });
  ASSERT_THAT(entries, SizeIs(5));
  std::string previous;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    EXPECT_EQ(entry->hash(), AuditHash(previous, *entry)) << entry->sequence();
    previous = entry->hash();
  }
  const auto page = Get([](StoreReader& r) { return r.ListAudit(4, 2); });
  ASSERT_THAT(page, SizeIs(2));
  EXPECT_EQ(page[0].method(), "method 3");
  EXPECT_EQ(page[1].method(), "method 2");
}

TEST_P(AccessContractTest, AnAuditEntryOfAFailedTransactionLeavesNoGap) {
  machine::v1::AuditEntry entry;
  EXPECT_FALSE(Write([&](StoreTransaction& t) {
                 t.AppendAudit(entry).IgnoreError();
                 return absl::AbortedError("no");
               }).ok());
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.AppendAudit(entry); }).ok());
  EXPECT_EQ(entry.sequence(), 1);
}

TEST(AuditHashTest, EveryFieldCounts) {
  machine::v1::AuditEntry entry;
  entry.set_user("users/ann");
  const std::string hash = AuditHash("", entry);
  EXPECT_THAT(hash, SizeIs(32));
  EXPECT_NE(AuditHash("x", entry), hash);
  // A character that moves from one field to the next is seen, too.
  machine::v1::AuditEntry moved;
  moved.set_user("users/an");
  moved.set_method("n");
  EXPECT_NE(AuditHash("", moved), hash);
  const auto* const descriptor = machine::v1::AuditEntry::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* const field = descriptor->field(i);
    if (field->name() == "hash") continue;
    machine::v1::AuditEntry changed = entry;
    if (field->name() == "sequence") {
      changed.set_sequence(7);
    } else if (field->name() == "time") {
      changed.mutable_time()->set_nanos(7);
    } else {
      changed.GetReflection()->SetString(&changed, field, "other");
    }
    EXPECT_NE(AuditHash("", changed), hash) << field->name();
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, AccessContractTest, testing::ValuesIn(StoreFactories()),
                         FactoryLabel);

}  // namespace
}  // namespace machine::orchestrator
