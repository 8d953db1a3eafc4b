#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "machine/v1/machines.pb.h"
#include "machine/v1/sessions.pb.h"
#include "services/common/crypto/join_token.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/accounts.h"
#include "services/orchestrator/access/audit_log.h"
#include "services/orchestrator/access/method_rules.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Who = MethodRule::Who;
using Scope = MethodRule::Scope;

TEST(MethodRulesTest, EveryMethodThatIsServedSaysWhoMayCallIt) {
  const MethodRules rules;
  int methods = 0;
  for (const google::protobuf::ServiceDescriptor* service : ServedServices()) {
    for (int i = 0; i < service->method_count(); ++i, ++methods) {
      const MethodRule& rule = rules.Of(PathOf(*service->method(i)));
      EXPECT_NE(rule.who, Who::kNobody) << service->method(i)->full_name();
    }
  }
  EXPECT_GT(methods, 40);
}

struct RuleCase {
  absl::string_view label;
  absl::string_view method;
  Who who;
  machine::v1::Role role;
  Scope scope;
  bool audited;
};

class RuleTest : public testing::TestWithParam<RuleCase> {};

TEST_P(RuleTest, IsAsThePlanHasIt) {
  const MethodRules rules;
  const MethodRule& rule = rules.Of(GetParam().method);
  EXPECT_EQ(rule.who, GetParam().who);
  EXPECT_EQ(rule.role, GetParam().role);
  EXPECT_EQ(rule.scope, GetParam().scope);
  EXPECT_EQ(rule.audited, GetParam().audited);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, RuleTest,
    testing::ValuesIn<RuleCase>({
        {"AnUnknownMethodIsForNobody", "/x.Y/Z", Who::kNobody, machine::v1::ROLE_UNSPECIFIED,
         Scope::kNone, false},
        {"JoiningIsForAnyone", "/machine.v1.Access/Join", Who::kAnyone,
         machine::v1::ROLE_UNSPECIFIED, Scope::kNone, true},
        {"RenewingIsForEveryUser", "/machine.v1.Access/RenewCertificate", Who::kAnyUser,
         machine::v1::ROLE_UNSPECIFIED, Scope::kNone, true},
        {"StoppingIsForOperatorsOfTheMachine", "/machine.v1.Machines/StopMachine", Who::kRole,
         machine::v1::ROLE_OPERATOR, Scope::kMachine, true},
        {"LabelsAreForOperatorsOfTheMachine", "/machine.v1.Machines/UpdateMachine", Who::kRole,
         machine::v1::ROLE_OPERATOR, Scope::kMachine, true},
        {"CreatingIsForOperatorsOfAll", "/machine.v1.Machines/CreateMachine", Who::kRole,
         machine::v1::ROLE_OPERATOR, Scope::kNone, true},
        {"WatchingIsLimited", "/machine.v1.Machines/WatchMachines", Who::kRole,
         machine::v1::ROLE_VIEWER, Scope::kList, false},
        {"KeysAreAudited", "/machine.v1.Machines/GetAccessBundle", Who::kRole,
         machine::v1::ROLE_OPERATOR, Scope::kMachine, true},
        {"SessionsAreAudited", "/machine.v1.Sessions/Exec", Who::kRole, machine::v1::ROLE_OPERATOR,
         Scope::kMachine, true},
        {"CancellingIsForOperatorsOfTheMachine", "/google.longrunning.Operations/CancelOperation",
         Who::kRole, machine::v1::ROLE_OPERATOR, Scope::kOperation, true},
        {"ShuttingDownIsForAdmins", "/machine.v1.Server/Shutdown", Who::kRole,
         machine::v1::ROLE_ADMIN, Scope::kNone, true},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(ResourceOfTest, NamesWhatARequestIsAbout) {
  machine::v1::StopMachineRequest stop;
  stop.set_name("machines/dev");
  EXPECT_EQ(ResourceOf(stop), "machines/dev");
  machine::v1::CreateMachineRequest create;
  create.set_machine_id("dev");
  EXPECT_EQ(ResourceOf(create), "machines/dev");
  machine::v1::UpdateMachineRequest update;
  update.mutable_machine()->set_name("machines/dev");
  EXPECT_EQ(ResourceOf(update), "machines/dev");
  machine::v1::ExecRequest exec;
  exec.mutable_start()->set_name("machines/dev");
  EXPECT_EQ(ResourceOf(exec), "machines/dev");
  machine::v1::CreateGrantRequest grant;
  grant.mutable_grant()->set_user("users/ann");
  EXPECT_EQ(ResourceOf(grant), "users/ann");
  machine::v1::JoinRequest join;
  join.set_token("secret");
  EXPECT_EQ(ResourceOf(join), "");
}

class StoredAccessTest : public testing::Test {
 protected:
  StoredAccessTest() : store_(*SqliteStore::Open(NewTestFolder() + "/store.db", clock_)) {}

  void AddEntries(int count) {
    for (int i = 1; i <= count; ++i) {
      machine::v1::AuditEntry entry;
      entry.set_user(i % 2 == 0 ? "users/ann" : "users/bob");
      entry.set_method(absl::StrCat("m/", i));
      ASSERT_TRUE(
          store_->WriteAndWait([&](StoreTransaction& t) { return t.AppendAudit(entry); }).ok());
    }
  }

  common::FakeClock clock_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(StoredAccessTest, TheAuditLogIsListedInPagesAndVerified) {
  EXPECT_EQ(VerifyAudit(*store_)->entry_count(), 0);
  AddEntries(7);
  machine::v1::ListAuditEntriesRequest request;
  request.set_filter("user=users/bob AND method!=m/3");
  request.set_page_size(2);
  const auto first = ListAuditEntries(*store_, request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_THAT(first->entries(), SizeIs(2));
  EXPECT_EQ(first->entries(0).method(), "m/7");
  EXPECT_EQ(first->entries(1).method(), "m/5");
  request.set_page_token(first->next_page_token());
  const auto second = ListAuditEntries(*store_, request);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_THAT(second->entries(), SizeIs(1));
  EXPECT_EQ(second->entries(0).method(), "m/1");
  EXPECT_THAT(second->next_page_token(), IsEmpty());
  const auto verified = VerifyAudit(*store_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->entry_count(), 7);
  EXPECT_THAT(verified->last_hash(), SizeIs(32));
}

TEST_F(StoredAccessTest, AFilterThatIsNoneIsRefused) {
  for (const char* filter : {"user", "=x", "color=red", "user=a OR user=b AND"}) {
    machine::v1::ListAuditEntriesRequest request;
    request.set_filter(filter);
    const absl::StatusCode code = ListAuditEntries(*store_, request).status().code();
    if (absl::string_view(filter).substr(0, 7) == "user=a ") {
      EXPECT_EQ(code, absl::StatusCode::kOk) << "a value may hold blanks";
    } else {
      EXPECT_EQ(code, absl::StatusCode::kInvalidArgument) << filter;
    }
  }
}

class AccountsTest : public StoredAccessTest {
 protected:
  Accounts accounts_{*store_, nullptr, nullptr, clock_};

  void AddUser(absl::string_view id, machine::v1::Role role) {
    UserRecord record;
    record.mutable_user()->set_name(absl::StrCat("users/", id));
    record.mutable_user()->set_role(role);
    ASSERT_TRUE(store_->WriteAndWait([&](StoreTransaction& t) { return t.PutUser(record); }).ok());
  }
  absl::Status SetRole(absl::string_view id, machine::v1::Role role) {
    machine::v1::UpdateUserRequest request;
    request.mutable_user()->set_name(absl::StrCat("users/", id));
    request.mutable_user()->set_role(role);
    return accounts_.UpdateUser(request).status();
  }
};

TEST_F(AccountsTest, TheLastAdminStays) {
  AddUser("ann", machine::v1::ROLE_ADMIN);
  AddUser("bob", machine::v1::ROLE_VIEWER);
  EXPECT_EQ(SetRole("ann", machine::v1::ROLE_OPERATOR).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(accounts_.DeleteUser("users/ann").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(SetRole("ann", machine::v1::ROLE_ADMIN).ok());
  EXPECT_TRUE(SetRole("bob", machine::v1::ROLE_ADMIN).ok());
  EXPECT_TRUE(accounts_.DeleteUser("users/ann").ok());
  EXPECT_EQ(accounts_.DeleteUser("users/bob").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(common::ReasonOf(accounts_.DeleteUser("users/ann")),
            machine::v1::ERROR_REASON_USER_NOT_FOUND);
}

TEST_F(AccountsTest, AGrantNeedsAUserARoleAndASelectorOverLabels) {
  AddUser("ann", machine::v1::ROLE_UNSPECIFIED);
  machine::v1::CreateGrantRequest good;
  good.mutable_grant()->set_user("users/ann");
  good.mutable_grant()->set_role(machine::v1::ROLE_OPERATOR);
  good.mutable_grant()->set_selector("labels.team = ci AND labels.env != prod");
  EXPECT_TRUE(accounts_.CreateGrant(good).ok());
  machine::v1::CreateGrantRequest bad = good;
  bad.mutable_grant()->set_user("users/bob");
  EXPECT_EQ(common::ReasonOf(accounts_.CreateGrant(bad).status()),
            machine::v1::ERROR_REASON_USER_NOT_FOUND);
  for (const char* selector : {"", "driver = none", "labels.team", "labels.team = ci AND"}) {
    bad = good;
    bad.mutable_grant()->set_selector(selector);
    EXPECT_EQ(accounts_.CreateGrant(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << selector;
  }
  for (const auto role : {machine::v1::ROLE_UNSPECIFIED, machine::v1::ROLE_ADMIN}) {
    bad = good;
    bad.mutable_grant()->set_role(role);
    EXPECT_EQ(accounts_.CreateGrant(bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
  const auto grants = accounts_.ListGrants({});
  ASSERT_TRUE(grants.ok());
  EXPECT_THAT(grants->grants(), SizeIs(1));
}

TEST_F(AccountsTest, WithoutAListenerThereAreNoTokens) {
  machine::v1::CreateJoinTokenRequest request;
  request.set_user_id("ann");
  const auto token = accounts_.CreateJoinToken(request);
  EXPECT_EQ(token.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(token.status().message()), HasSubstr("--listen"));
}

class JoinTest : public AccountsTest {
 protected:
  JoinTest()
      : folder_(NewTestFolder()),
        vault_(*SecretVault::LoadOrCreate({.key_path = folder_ + "/key"}, *store_)),
        authority_(*AccessAuthority::Open(
            *store_, vault_, {.address = "127.0.0.1:0", .folder = folder_ + "/tls"}, clock_)),
        joining_(*store_, &authority_, nullptr, clock_) {}

  std::string Token(absl::string_view user, absl::Duration lifetime) {
    machine::v1::CreateJoinTokenRequest request;
    request.set_user_id(std::string(user));
    request.set_role(machine::v1::ROLE_VIEWER);
    request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(lifetime));
    return joining_.CreateJoinToken(request)->token();
  }
  absl::StatusOr<machine::v1::ClientCertificate> Join(const std::string& token) {
    machine::v1::JoinRequest request;
    request.set_token(token);
    request.set_certificate_request_pem(common::MakeCertRequest()->request_pem);
    return joining_.Join(request);
  }

  const std::string folder_;
  SecretVault vault_;
  AccessAuthority authority_;
  Accounts joining_;
};

TEST_F(JoinTest, ATokenGivesOneCertificateThatNamesItsUser) {
  const std::string token = Token("ann", absl::Hours(1));
  const auto joined = Join(token);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->user().role(), machine::v1::ROLE_VIEWER);
  EXPECT_THAT(common::CertInfo::Parse(joined->certificate_pem())->uris,
              testing::ElementsAre("urn:docker-machine:user:ann"));
  EXPECT_TRUE(common::VerifySignedBy(joined->certificate_pem(), joined->ca_pem()).ok());
  EXPECT_EQ(common::ParseJoinToken(token)->ca_fingerprint,
            common::CertInfo::Parse(joined->ca_pem())->fingerprint);
  EXPECT_EQ(common::ReasonOf(Join(token).status()), machine::v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
}

TEST_F(JoinTest, ATokenEndsWithItsTimeAndWithItsUser) {
  const std::string late = Token("ann", absl::Minutes(1));
  const std::string gone = Token("bob", absl::Hours(1));
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(common::ReasonOf(Join(late).status()), machine::v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  ASSERT_TRUE(joining_.DeleteUser("users/bob").ok());
  EXPECT_EQ(common::ReasonOf(Join(gone).status()), machine::v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
}

TEST_F(JoinTest, ARequestThatIsNoneDoesNotUseTheTokenUp) {
  const std::string token = Token("ann", absl::Hours(1));
  machine::v1::JoinRequest request;
  request.set_token(token);
  request.set_certificate_request_pem("nonsense");
  EXPECT_EQ(joining_.Join(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Join(token).ok());
}

TEST_F(JoinTest, TheServersFilesAreKeptUntilTheyAreOld) {
  const auto files = authority_.WriteFiles();
  ASSERT_TRUE(files.ok()) << files.status();
  const std::string first = *common::ReadFile(files->cert_path);
  ASSERT_TRUE(authority_.WriteFiles().ok());
  EXPECT_EQ(*common::ReadFile(files->cert_path), first);
  clock_.Advance(absl::Hours(24 * 61));
  ASSERT_TRUE(authority_.WriteFiles().ok());
  const std::string second = *common::ReadFile(files->cert_path);
  EXPECT_NE(second, first);
  EXPECT_TRUE(common::KeyMatchesCert(*common::ReadFile(files->key_path), second).ok());
}

TEST_F(JoinTest, ThePolicyKnowsWhoMayDoLess) {
  AccessPolicy policy(*store_, clock_);
  AddUser("ann", machine::v1::ROLE_ADMIN);
  AddUser("bob", machine::v1::ROLE_VIEWER);
  EXPECT_THAT(*policy.Load(), IsEmpty());
  EXPECT_THAT(*policy.Load(), IsEmpty());
  AddUser("bob", machine::v1::ROLE_OPERATOR);
  EXPECT_THAT(*policy.Load(), IsEmpty());
  AddUser("bob", machine::v1::ROLE_UNSPECIFIED);
  EXPECT_THAT(*policy.Load(), testing::ElementsAre("bob"));
  ASSERT_TRUE(store_->WriteAndWait([](StoreTransaction& t) { return t.DeleteUser("ann"); }).ok());
  EXPECT_THAT(*policy.Load(), testing::ElementsAre("ann"));
}

}  // namespace
}  // namespace machine::orchestrator
