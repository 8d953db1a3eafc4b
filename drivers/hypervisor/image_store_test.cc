#include "drivers/hypervisor/image_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "drivers/hypervisor/local_tool_host.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ImageStoreTest : public testing::Test {
 protected:
  ImageStoreTest() {
    for (int i = 0; i < 200'000; ++i) image_ += static_cast<char>(i * 7 + i / 256);
    server_.Get("/guest.img", [this](const httplib::Request& request, httplib::Response& response) {
      ++fetched_;
      if (request.has_header("Range")) ++ranges_;
      response.set_content(image_, "application/octet-stream");
    });
    server_.Get("/SHA256SUMS", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(absl::StrCat(std::string(64, '0'), " *other.img\n",
                                        common::Sha256Hex(image_), " *guest.img\n"),
                           "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~ImageStoreTest() override {
    server_.stop();
    thread_.join();
    fs::remove_all(folder_);
  }

  std::string Url(absl::string_view path) const {
    return absl::StrCat("http://127.0.0.1:", port_, path);
  }
  std::string Digest() const { return absl::StrCat("sha256:", common::Sha256Hex(image_)); }

  // What Fetch gave is what the server has.
  void ExpectImage(const absl::StatusOr<std::string>& path) const {
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_TRUE(common::ReadFile(*path).value() == image_);
  }

  std::vector<std::string> Cached() const {
    std::vector<std::string> names;
    if (!fs::exists(folder_ + "/cache")) return names;
    for (const auto& entry : fs::directory_iterator(folder_ + "/cache")) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  static std::string MakeTempFolder() {
    char folder[] = "/tmp/imgXXXXXX";
    return mkdtemp(folder);
  }

  const std::string folder_ = MakeTempFolder();
  std::string image_;
  std::atomic<int> fetched_ = 0;
  std::atomic<int> ranges_ = 0;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  LocalToolHost host_;
  ImageStore store_{host_, folder_ + "/cache"};
  common::CallScope call_{absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {}};
};

TEST_F(ImageStoreTest, FetchesOnceAndKeepsIt) {
  const ImageSource source = {.url = Url("/guest.img"), .checksum = Digest()};
  ExpectImage(store_.Fetch(call_, source));
  const int before = fetched_;
  ExpectImage(store_.Fetch(call_, source));
  EXPECT_EQ(fetched_, before);
  EXPECT_EQ(Cached().size(), 1U);
}

TEST_F(ImageStoreTest, ManyAtOnceFetchItOnce) {
  const ImageSource source = {.url = Url("/guest.img"), .checksum = Digest()};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { ExpectImage(store_.Fetch(call_, source)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(fetched_, 2);  // Its length was asked for once, too.
}

TEST_F(ImageStoreTest, SeveralDriversShareACache) {
  const ImageSource source = {.url = Url("/guest.img"), .checksum = Digest()};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      ImageStore other(host_, folder_ + "/cache");
      ExpectImage(other.Fetch(call_, source));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ImageStoreTest, ADownloadIsTold) {
  std::string told;
  common::CallScope call(
      absl::InfiniteFuture(), std::make_shared<common::Cancellation>(),
      {.progress = [&](const machine::v1::Progress& progress) { told += progress.message(); },
       .log = [&](const machine::v1::LogLine& line) { told += line.text(); }});
  ExpectImage(store_.Fetch(call, {.url = Url("/guest.img"), .checksum = Digest()}));
  EXPECT_THAT(told, HasSubstr("Downloading guest.img..."));
  EXPECT_THAT(told, HasSubstr("Checking the image..."));
}

TEST_F(ImageStoreTest, DigestComesFromTheListBesideTheImage) {
  ExpectImage(store_.Fetch(call_, {.url = Url("/guest.img"), .checksum = Url("/SHA256SUMS")}));
  const auto missing =
      store_.Fetch(call_, {.url = Url("/guest.img?other"), .checksum = Url("/nothing-here")});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound) << missing.status();
}

TEST_F(ImageStoreTest, AnotherDigestIsAnErrorAndLeavesNothing) {
  const std::string wrong = absl::StrCat("sha256:", std::string(64, 'a'));
  const auto path = store_.Fetch(call_, {.url = Url("/guest.img"), .checksum = wrong});
  EXPECT_EQ(path.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(path.status().message()), HasSubstr(wrong));
  EXPECT_THAT(std::string(path.status().message()), HasSubstr(Digest()));
  EXPECT_TRUE(Cached().empty());
}

TEST_F(ImageStoreTest, WhatWasCutOffIsGoneOnWith) {
  const ImageSource source = {.url = Url("/guest.img"), .checksum = Digest()};
  const auto whole = store_.Fetch(call_, source);
  ASSERT_TRUE(whole.ok()) << whole.status();
  // As after a crash of the host in mid-download, and in the moment before the check.
  for (const size_t have : {size_t{1}, image_.size() / 2, image_.size()}) {
    fs::rename(*whole, *whole + ".part");
    fs::resize_file(*whole + ".part", have);
    const int before = ranges_;
    ExpectImage(store_.Fetch(call_, source));
    EXPECT_EQ(ranges_ - before, have < image_.size() ? 1 : 0);
  }
}

TEST_F(ImageStoreTest, MissingImageIsNotFound) {
  const auto path = store_.Fetch(call_, {.url = Url("/gone.img"), .checksum = ""});
  EXPECT_EQ(path.status().code(), absl::StatusCode::kNotFound) << path.status();
  EXPECT_THAT(std::string(path.status().message()), HasSubstr(Url("/gone.img")));
}

TEST_F(ImageStoreTest, FileOnTheHostIsUsedAsItIs) {
  const std::string path = folder_ + "/mine.qcow2";
  EXPECT_EQ(store_.Fetch(call_, {.url = path, .checksum = ""}).status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(common::WriteFileAtomically(path, "mine", 0644).ok());
  EXPECT_EQ(store_.Fetch(call_, {.url = path, .checksum = ""}).value(), path);
  EXPECT_TRUE(Cached().empty());
}

TEST_F(ImageStoreTest, FileUrlIsCopied) {
  const std::string path = folder_ + "/mine.qcow2";
  ASSERT_TRUE(common::WriteFileAtomically(path, image_, 0644).ok());
  ExpectImage(store_.Fetch(call_, {.url = "file://" + path, .checksum = Digest()}));
  EXPECT_EQ(store_.Fetch(call_, {.url = "file://" + path + "2", .checksum = ""}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ImageStoreTest, BadChecksumIsNamed) {
  const auto path = store_.Fetch(call_, {.url = Url("/guest.img"), .checksum = "sha256:xyz"});
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::driver::hypervisor
