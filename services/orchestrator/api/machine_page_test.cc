#include "services/orchestrator/api/machine_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class MachinePageTest : public testing::Test {
 protected:
  MachinePageTest() {
    // Made in the reverse order of their names.
    for (int i = 0; i < 12; ++i) {
      machine::v1::Machine machine;
      machine.set_name(absl::StrCat("machines/m", i));
      machine.set_uid(absl::StrCat("uid", i));
      machine.set_driver(i % 2 == 0 ? "none" : "generic");
      machine.mutable_endpoint()->set_docker_url("tcp://10.0.0.1:2376");
      (*machine.mutable_labels())["n"] = absl::StrCat(i);
      machine.mutable_create_time()->set_seconds(1000 - i);
      index_.Load(machine);
    }
  }

  absl::StatusOr<machine::v1::ListMachinesResponse> List(
      const machine::v1::ListMachinesRequest& request) {
    machine::v1::ListMachinesResponse response;
    DM_RETURN_IF_ERROR(FillMachinePage(index_, request, std::nullopt, response));
    return response;
  }

  // Names of all pages of `size`, in the order they come.
  std::vector<std::string> AllPages(machine::v1::ListMachinesRequest request) {
    std::vector<std::string> names;
    do {
      const auto page = List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->machines_size(), request.page_size());
      for (const auto& machine : page->machines()) {
        names.emplace_back(MachineId(machine.name()));
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  MachineIndex index_;
};

TEST_F(MachinePageTest, PagesJoinToTheWholeListInNaturalOrder) {
  machine::v1::ListMachinesRequest request;
  request.set_page_size(5);
  EXPECT_THAT(AllPages(request), ElementsAre("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8",
                                             "m9", "m10", "m11"));
}

TEST_F(MachinePageTest, OrdersByTimeAndBackwards) {
  machine::v1::ListMachinesRequest request;
  request.set_page_size(4);
  request.set_filter("driver=none");
  request.set_order_by("create_time");
  EXPECT_THAT(AllPages(request), ElementsAre("m10", "m8", "m6", "m4", "m2", "m0"));
  request.set_order_by("name desc");
  EXPECT_THAT(AllPages(request), ElementsAre("m10", "m8", "m6", "m4", "m2", "m0"));
}

TEST_F(MachinePageTest, AMaskKeepsOnlyItsFields) {
  machine::v1::ListMachinesRequest request;
  request.set_page_size(1);
  request.mutable_read_mask()->add_paths("name");
  request.mutable_read_mask()->add_paths("endpoint.docker_url");
  request.mutable_read_mask()->add_paths("labels");
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->machines(), SizeIs(1));
  machine::v1::Machine expected;
  expected.set_name("machines/m0");
  expected.mutable_endpoint()->set_docker_url("tcp://10.0.0.1:2376");
  (*expected.mutable_labels())["n"] = "0";
  EXPECT_EQ(page->machines(0).SerializeAsString(), expected.SerializeAsString());
}

TEST_F(MachinePageTest, APageEndsBeforeItIsTooLargeForAClient) {
  for (int i = 0; i < 100; ++i) {
    machine::v1::Machine machine;
    machine.set_name(absl::StrCat("machines/big", i));
    machine.set_uid(absl::StrCat("big", i));
    (*machine.mutable_labels())["blob"] = std::string(100'000, 'x');
    index_.Load(machine);
  }
  machine::v1::ListMachinesRequest request;
  request.set_page_size(1000);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_LT(page->ByteSizeLong(), 4U << 20);
  EXPECT_FALSE(page->next_page_token().empty());
  EXPECT_THAT(AllPages(request), SizeIs(112));
}

struct BadCase {
  absl::string_view label, field;
  machine::v1::ListMachinesRequest request;
};
machine::v1::ListMachinesRequest With(
    const std::function<void(machine::v1::ListMachinesRequest&)>& change) {
  machine::v1::ListMachinesRequest request;
  change(request);
  return request;
}
class BadPageTest : public MachinePageTest, public testing::WithParamInterface<BadCase> {};
TEST_P(BadPageTest, NamesTheField) {
  const auto page = List(GetParam().request);
  EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(common::ErrorMetadataOf(page.status(), "field"), GetParam().field);
}
INSTANTIATE_TEST_SUITE_P(
    Requests, BadPageTest,
    testing::ValuesIn<BadCase>({
        {"NegativeSize", "page_size", With([](auto& r) { r.set_page_size(-1); })},
        {"HugeSize", "page_size", With([](auto& r) { r.set_page_size(10'001); })},
        {"GarbageToken", "page_token", With([](auto& r) { r.set_page_token("%%%"); })},
        {"ForeignToken", "page_token", With([](auto& r) { r.set_page_token("AAAAAAAAAAAAAAAA"); })},
        {"UnknownOrder", "order_by", With([](auto& r) { r.set_order_by("size"); })},
        {"UnknownField", "read_mask",
         With([](auto& r) { r.mutable_read_mask()->add_paths("color"); })},
        {"BadFilter", "filter", With([](auto& r) { r.set_filter("driver"); })},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(MachinePageTest, ATokenOfAnotherRequestIsRefused) {
  machine::v1::ListMachinesRequest request;
  request.set_page_size(2);
  const auto page = List(request);
  ASSERT_TRUE(page.ok());
  request.set_page_token(page->next_page_token());
  request.set_filter("driver=none");
  EXPECT_EQ(List(request).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::orchestrator
