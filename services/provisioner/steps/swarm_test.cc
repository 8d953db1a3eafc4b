#include "services/provisioner/steps/swarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using Json = nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Answers by "METHOD PATH"; 404 for everything else.
class FakeEngine final : public EngineProbe {
 public:
  absl::StatusOr<EngineVersion> Ask(common::CallScope&, absl::string_view,
                                    const std::optional<EngineTls>&) const override {
    return absl::InternalError("nobody asks for the version");
  }

  absl::StatusOr<EngineAnswer> Send(common::CallScope&, absl::string_view,
                                    const std::optional<EngineTls>&, absl::string_view method,
                                    absl::string_view path,
                                    const std::string& body) const override {
    const std::string key = absl::StrCat(method, " ", path);
    calls.push_back(key);
    if (!body.empty()) bodies[key] = Json::parse(body);
    const auto found = answers.find(key);
    if (found == answers.end()) return EngineAnswer{404, R"({"message":"no such thing"})"};
    // The last one stays.
    const EngineAnswer answer = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    return answer;
  }

  mutable std::map<std::string, std::vector<EngineAnswer>> answers;
  mutable std::vector<std::string> calls;
  mutable std::map<std::string, Json> bodies;
};

class SwarmTest : public testing::Test {
 protected:
  SwarmTest() {
    swarm_.set_is_swarm(true);
    swarm_.set_master(true);
    swarm_.set_image("swarm:1.2");
    swarm_.set_discovery("consul://10.0.0.9:8500/x");
    swarm_.set_host("tcp://0.0.0.0:3376");
    engine_.answers["GET /images/swarm:1.2/json"] = {{200, "{}"}};
    for (const char* const name : {"swarm-agent", "swarm-agent-master"}) {
      engine_.answers[absl::StrCat("POST /containers/create?name=", name)] = {{201, "{}"}};
      engine_.answers[absl::StrCat("POST /containers/", name, "/start")] = {{204, ""}};
    }
    request_.set_docker_url("tcp://10.0.0.1:2376");
    request_.set_advertise_address("10.0.0.1");
  }

  common::CallScope NewCall() {
    common::CallScope::Sink sink;
    sink.log = [this](machine::v1::LogLine line) { log_.push_back(line.text()); };
    return common::CallScope(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(),
                             std::move(sink));
  }

  absl::Status Run(bool certificates_changed = false) {
    common::CallScope call = NewCall();
    return RunStandaloneSwarm(call, engine_, {"tcp://10.0.0.1:2376", {}}, swarm_, "/etc/docker",
                              certificates_changed);
  }

  absl::StatusOr<::provisioner::v1::ConfigureSwarmResponse> Configure() {
    common::CallScope call = NewCall();
    return ConfigureSwarm(call, engine_, request_);
  }

  std::string Command(const std::string& name) {
    const Json& body = engine_.bodies["POST /containers/create?name=" + name];
    return absl::StrJoin(body["Cmd"].get<std::vector<std::string>>(), " ");
  }

  FakeEngine engine_;
  machine::v1::SwarmOptions swarm_;
  ::provisioner::v1::ConfigureSwarmRequest request_;
  std::vector<std::string> log_;
};

TEST_F(SwarmTest, AMasterRunsBothContainers) {
  swarm_.add_arbitrary_flags("heartbeat=5s");
  swarm_.add_join_flags("ttl=60s");
  swarm_.set_experimental(true);
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Command("swarm-agent-master"),
            "--experimental manage --tlsverify --tlscacert=/etc/docker/ca.pem "
            "--tlscert=/etc/docker/server.pem --tlskey=/etc/docker/server-key.pem "
            "-H tcp://0.0.0.0:3376 --strategy spread --advertise 10.0.0.1:3376 --heartbeat=5s "
            "consul://10.0.0.9:8500/x");
  EXPECT_EQ(Command("swarm-agent"),
            "--experimental join --advertise 10.0.0.1:2376 --ttl=60s consul://10.0.0.9:8500/x");
  const Json& master = engine_.bodies["POST /containers/create?name=swarm-agent-master"];
  EXPECT_EQ(master["Image"], "swarm:1.2");
  EXPECT_EQ(master["HostConfig"], Json::parse(R"({"RestartPolicy":{"Name":"always"},
                            "Binds":["/etc/docker:/etc/docker:ro"],
                            "PortBindings":{"3376/tcp":[{"HostIp":"0.0.0.0","HostPort":"3376"}]}})"));
}

TEST_F(SwarmTest, WhatIsAsItShouldBeIsLeftAlone) {
  ASSERT_TRUE(Run().ok());
  for (const char* const name : {"swarm-agent", "swarm-agent-master"}) {
    const Json& made = engine_.bodies[absl::StrCat("POST /containers/create?name=", name)];
    const Json there = {{"Config", {{"Labels", made["Labels"]}}}};
    engine_.answers[absl::StrCat("GET /containers/", name, "/json")] = {{200, there.dump()}};
  }
  engine_.calls.clear();
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(engine_.calls, ElementsAre("GET /containers/swarm-agent-master/json",
                                         "POST /containers/swarm-agent-master/start",
                                         "GET /containers/swarm-agent/json",
                                         "POST /containers/swarm-agent/start"));
  // The master has read the former certificates.
  engine_.answers["POST /containers/swarm-agent-master/restart"] = {{204, ""}};
  ASSERT_TRUE(Run(/*certificates_changed=*/true).ok());
  EXPECT_THAT(engine_.calls, Contains("POST /containers/swarm-agent-master/restart"));
  // Another strategy: another container.
  engine_.answers["DELETE /containers/swarm-agent-master?force=true"] = {{204, ""}};
  swarm_.set_strategy("binpack");
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(engine_.calls, Contains("DELETE /containers/swarm-agent-master?force=true"));
  EXPECT_THAT(Command("swarm-agent-master"), HasSubstr("--strategy binpack"));
}

TEST_F(SwarmTest, ListsHaveNoAgent) {
  for (const char* const discovery : {"nodes://10.0.0.1:2376,10.0.0.2:2376", "file:///etc/list"}) {
    swarm_.set_discovery(discovery);
    engine_.calls.clear();
    ASSERT_TRUE(Run().ok());
    EXPECT_THAT(Command("swarm-agent-master"), HasSubstr(discovery));
    EXPECT_THAT(engine_.calls, Not(Contains(HasSubstr("swarm-agent/"))));
  }
}

TEST_F(SwarmTest, AMissingImageIsPulledAndAFailedPullSaysWhy) {
  engine_.answers.erase("GET /images/swarm:1.2/json");
  engine_.answers["POST /images/create?fromImage=swarm:1.2"] = {
      {200, "{\"status\":\"Pulling\"}\n{\"error\":\"no route to the registry\"}\n"},
      {200, "{\"status\":\"done\"}\n"}};
  const absl::Status failed = Run();
  EXPECT_EQ(common::ReasonOf(failed), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_EQ(failed.message(), "pulling swarm:1.2 failed: no route to the registry");
  EXPECT_TRUE(Run().ok());
}

TEST_F(SwarmTest, WithoutAnImageThereIsOnlyAWarning) {
  swarm_.clear_image();
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(engine_.calls, IsEmpty());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("--swarm-image")));
}

TEST_F(SwarmTest, TokensAreRefusedByName) {
  swarm_.set_discovery("token://1234");
  const absl::Status status = CheckSwarmOptions(swarm_);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("use consul://, file:// or nodes://"));
}

constexpr char kManager[] =
    R"({"Swarm":{"LocalNodeState":"active","ControlAvailable":true,"NodeID":"n1",
        "NodeAddr":"10.0.0.1","RemoteManagers":[{"NodeID":"n1","Addr":"10.0.0.1:2377"}]}})";

TEST_F(SwarmTest, ASwarmIsBegunOnceAndItsTokensAreTold) {
  engine_.answers["GET /info"] = {{200, R"({"Swarm":{"LocalNodeState":"inactive"}})"},
                                  {200, kManager}};
  engine_.answers["POST /swarm/init"] = {{200, "\"n1\""}};
  engine_.answers["GET /swarm"] = {
      {200, R"({"ID":"s1","JoinTokens":{"Worker":"W-token","Manager":"M-token"}})"}};
  const auto begun = Configure();
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(engine_.bodies["POST /swarm/init"],
            Json::parse(R"({"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"10.0.0.1"})"));
  EXPECT_EQ(begun->node_id(), "n1");
  EXPECT_EQ(begun->swarm_id(), "s1");
  EXPECT_EQ(begun->manager_address(), "10.0.0.1:2377");
  EXPECT_EQ(begun->worker_join_token(), "W-token");
  EXPECT_EQ(begun->manager_join_token(), "M-token");
  engine_.calls.clear();
  ASSERT_TRUE(Configure().ok());
  EXPECT_THAT(engine_.calls, ElementsAre("GET /info", "GET /info", "GET /swarm"));
}

TEST_F(SwarmTest, AWorkerJoinsOnceAndOnlyOneSwarm) {
  request_.set_manager_address("10.0.0.1:2377");
  request_.set_join_token("W-token");
  request_.set_advertise_address("10.0.0.2");
  const char worker[] =
      R"({"Swarm":{"LocalNodeState":"active","ControlAvailable":false,"NodeID":"n2",
          "RemoteManagers":[{"NodeID":"n1","Addr":"10.0.0.1:2377"}]}})";
  engine_.answers["GET /info"] = {{200, R"({"Swarm":{"LocalNodeState":"inactive"}})"},
                                  {200, worker}};
  engine_.answers["POST /swarm/join"] = {{200, ""}};
  const auto joined = Configure();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(engine_.bodies["POST /swarm/join"],
            Json::parse(R"({"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"10.0.0.2",
                            "RemoteAddrs":["10.0.0.1:2377"],"JoinToken":"W-token"})"));
  EXPECT_EQ(joined->node_id(), "n2");
  EXPECT_EQ(joined->worker_join_token(), "");
  engine_.calls.clear();
  EXPECT_TRUE(Configure().ok());
  EXPECT_THAT(engine_.calls, ElementsAre("GET /info", "GET /info"));
  request_.set_manager_address("10.0.0.7:2377");
  EXPECT_THAT(std::string(Configure().status().message()), HasSubstr("docker swarm leave"));
}

TEST_F(SwarmTest, TheEnginesOwnWordsSayWhyItCannotJoin) {
  request_.set_manager_address("10.0.0.1:2377");
  request_.set_join_token("SECRET");
  engine_.answers["GET /info"] = {{200, R"({"Swarm":{"LocalNodeState":"inactive"}})"}};
  engine_.answers["POST /swarm/join"] = {{400, R"({"message":"invalid join token"})"}};
  const absl::Status status = Configure().status();
  EXPECT_EQ(status.message(), "joining the swarm of 10.0.0.1:2377 failed: invalid join token");
}

// The node's engine and its manager's, by their ports.
class TwoEngines final : public EngineProbe {
 public:
  absl::StatusOr<EngineVersion> Ask(common::CallScope& call, absl::string_view url,
                                    const std::optional<EngineTls>& tls) const override {
    return node.Ask(call, url, tls);
  }
  absl::StatusOr<EngineAnswer> Send(common::CallScope& call, absl::string_view url,
                                    const std::optional<EngineTls>& tls, absl::string_view method,
                                    absl::string_view path,
                                    const std::string& body) const override {
    if (url == "tcp://10.0.0.1:2376") return manager.Send(call, url, tls, method, path, body);
    if (node_gone) return absl::UnavailableError("no route to host");
    return node.Send(call, url, tls, method, path, body);
  }

  FakeEngine node;
  FakeEngine manager;
  bool node_gone = false;
};

class LeaveTest : public testing::Test {
 protected:
  LeaveTest() {
    request_.set_docker_url("tcp://10.0.0.2:2376");
    request_.set_host_name("two");
    request_.add_managers()->set_docker_url("tcp://10.0.0.1:2376");
    engines_.manager.answers["GET /info"] = {{200, kManager}};
    engines_.node.answers["POST /swarm/leave"] = {{200, ""}};
    engines_.node.answers["POST /swarm/leave?force=true"] = {{200, ""}};
    engines_.manager.answers["DELETE /nodes/n2?force=true"] = {{200, ""}};
    AnswerInfo("false");
  }

  void AnswerInfo(absl::string_view manages) {
    engines_.node.answers["GET /info"] = {
        {200, absl::StrCat(R"({"Swarm":{"LocalNodeState":"active","ControlAvailable":)", manages,
                           R"(,"NodeID":"n2"}})")}};
  }

  absl::StatusOr<::provisioner::v1::LeaveSwarmResponse> Leave() {
    common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
    return LeaveSwarm(call, engines_, request_);
  }

  TwoEngines engines_;
  ::provisioner::v1::LeaveSwarmRequest request_;
};

TEST_F(LeaveTest, AWorkerLeavesAndIsForgotten) {
  const auto left = Leave();
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->left());
  EXPECT_TRUE(left->forgotten());
  EXPECT_THAT(engines_.node.calls, ElementsAre("GET /info", "POST /swarm/leave"));
  EXPECT_THAT(engines_.manager.calls, ElementsAre("GET /info", "DELETE /nodes/n2?force=true"));
}

TEST_F(LeaveTest, AManagerIsMadeAWorkerFirst) {
  AnswerInfo("true");
  engines_.manager.answers["GET /nodes/n2"] = {
      {200, R"({"ID":"n2","Version":{"Index":7},"Spec":{"Role":"manager","Labels":{"a":"b"}}})"}};
  engines_.manager.answers["POST /nodes/n2/update?version=7"] = {{200, ""}};
  // It stays in the group of managers for a moment.
  engines_.manager.answers["DELETE /nodes/n2?force=true"] = {
      {400, R"({"message":"node is a member of the raft cluster"})"}, {200, ""}};
  const auto left = Leave();
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->forgotten());
  EXPECT_EQ(engines_.manager.bodies["POST /nodes/n2/update?version=7"],
            Json::parse(R"({"Role":"worker","Labels":{"a":"b"}})"));
  EXPECT_THAT(engines_.node.calls, Contains("POST /swarm/leave?force=true"));
}

TEST_F(LeaveTest, OneThatDoesNotAnswerIsForgottenByItsHostName) {
  engines_.node_gone = true;
  const char* const nodes =
      R"([{"ID":"n1","Description":{"Hostname":"one"},"Status":{"State":"ready"}},
          {"ID":"n3","Description":{"Hostname":"two"},"Status":{"State":"ready"}},
          {"ID":"n2","Description":{"Hostname":"two"},"Status":{"State":"down"},
           "Spec":{"Role":"worker"}}])";
  engines_.manager.answers["GET /nodes"] = {{200, nodes}};
  engines_.manager.answers["GET /nodes/n2"] = {{200, R"({"ID":"n2","Spec":{"Role":"worker"}})"}};
  const auto left = Leave();
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_FALSE(left->left());
  EXPECT_TRUE(left->forgotten());
  // Stopped: nobody tries to reach it.
  request_.clear_docker_url();
  EXPECT_TRUE(Leave()->forgotten());
}

TEST_F(LeaveTest, WithoutAManagerItLeavesAllTheSame) {
  request_.clear_managers();
  AnswerInfo("true");
  const auto left = Leave();
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->left());
  EXPECT_FALSE(left->forgotten());
  engines_.node.answers["GET /info"] = {{200, R"({"Swarm":{"LocalNodeState":"inactive"}})"}};
  engines_.node.calls.clear();
  EXPECT_TRUE(Leave()->left());
  EXPECT_THAT(engines_.node.calls, ElementsAre("GET /info"));
  engines_.node_gone = true;
  EXPECT_EQ(Leave().status().message(), "no route to host");
}

}  // namespace
}  // namespace machine::provisioner
