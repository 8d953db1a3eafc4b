#include "services/common/process/framed.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {
namespace {

class FramedTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }

  void WriteRaw(absl::string_view bytes) {
    ASSERT_EQ(write(write_end_.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }

  UniqueFd read_end_;
  UniqueFd write_end_;
};

TEST_F(FramedTest, MessagesArriveWholeAndInOrder) {
  const std::string with_zeros("a\0b", 3);
  ASSERT_TRUE(WriteFramed(write_end_.get(), with_zeros).ok());
  ASSERT_TRUE(WriteFramed(write_end_.get(), "").ok());
  ASSERT_TRUE(WriteFramed(write_end_.get(), "last").ok());
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).value(), with_zeros);
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).value(), "");
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).value(), "last");
}

TEST_F(FramedTest, TheLengthIsFourBytesBigEndian) {
  ASSERT_TRUE(WriteFramed(write_end_.get(), std::string(258, 'x')).ok());
  char prefix[4];
  ASSERT_EQ(read(read_end_.get(), prefix, 4), 4);
  EXPECT_EQ(std::string(prefix, 4), std::string("\0\0\1\2", 4));
}

TEST_F(FramedTest, AMessageLongerThanThePipeIsPassedPieceByPiece) {
  const std::string message(5 << 20, 'm');
  absl::Status written;
  std::thread writer([&] { written = WriteFramed(write_end_.get(), message); });
  const auto read = ReadFramed(read_end_.get(), 10 << 20);
  writer.join();
  EXPECT_TRUE(written.ok()) << written;
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == message);
}

TEST_F(FramedTest, AWriterThatLeftBeforeAMessageIsUnavailable) {
  write_end_.reset();
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FramedTest, AWriterThatLeftWithinTheLengthIsDataLoss) {
  WriteRaw(absl::string_view("\0\0", 2));
  write_end_.reset();
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramedTest, AWriterThatLeftWithinTheMessageIsDataLoss) {
  WriteRaw(absl::string_view("\0\0\0\5", 4));
  write_end_.reset();
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramedTest, ALengthBeyondTheLimitIsRefusedBeforeAnythingIsReserved) {
  WriteRaw("\xff\xff\xff\xff");
  EXPECT_EQ(ReadFramed(read_end_.get(), 100).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FramedTest, ReadingEndsAtTheDeadline) {
  WriteRaw(absl::string_view("\0\0\0\5ab", 6));
  EXPECT_EQ(ReadFramed(read_end_.get(), 100, absl::Now()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(FramedTest, WritingToAReaderThatLeftIsAnErrorAndNoSignal) {
  read_end_.reset();
  EXPECT_EQ(WriteFramed(write_end_.get(), "x").code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace machine::common
