// Bytes to messages and messages to answers; what is odd about them, one by one.
#include "dns/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "dns/answer.h"

namespace outbox::dns {
namespace {

std::string Question(std::string_view name, RecordType type, uint16_t id, bool edns) {
  std::string bytes(kQuestionBytesMax, 'x');
  bytes.resize(EncodeQuestion(name, type, id, edns, bytes));
  return bytes;
}

TEST(CodecTest, AQuestionByteForByte) {
  const std::string plain(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
      "\x02mx\x07"
      "example\x00\x00\x0f\x00\x01",
      12 + 12 + 4);
  EXPECT_EQ(Question("mx.example", RecordType::kMx, 0x1234, false), plain);
  std::string edns = plain;
  edns[11] = 1;
  edns.append("\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 11);  // 1232 octets
  EXPECT_EQ(Question("mx.example", RecordType::kMx, 0x1234, true), edns);
}

TEST(CodecTest, TheLongestName) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(longest.size(), 253u);
  EXPECT_TRUE(CanAskFor(longest));
  EXPECT_FALSE(CanAskFor(longest + "b"));
  EXPECT_EQ(Question(longest, RecordType::kA, 1, true).size(), kQuestionBytesMax);
  Message message;
  ASSERT_TRUE(DecodeMessage(Question(longest, RecordType::kA, 1, true), &message));
  EXPECT_EQ(message.name, longest);
}

TEST(CodecTest, NoMessage) {
  Message message;
  EXPECT_FALSE(DecodeMessage(std::string(), &message));
  EXPECT_FALSE(DecodeMessage(std::string(11, '\0'), &message));
  const std::string whole = Question("mx.example", RecordType::kMx, 1, true);
  for (size_t size = 12; size < 28; ++size) {
    EXPECT_FALSE(DecodeMessage(whole.substr(0, size), &message)) << size;
  }
  EXPECT_TRUE(DecodeMessage(whole, &message));
}

class ReplyTest : public testing::Test {
 protected:
  ReplyTest() : bytes_(Question("mx.example", RecordType::kMx, 7, false)) {
    bytes_[2] = static_cast<char>(0x81);  // a response
  }
  Reply Read(uint16_t id = 7, std::string_view name = "mx.example",
             RecordType type = RecordType::kMx) {
    return ReadReply(bytes_, id, name, type);
  }
  // A record with these bytes behind what is there.
  void Add(int section, const std::string& record) {
    ++bytes_[static_cast<size_t>(5 + 2 * section)];
    bytes_ += record;
  }
  static std::string Record(uint16_t type, const std::string& ttl, const std::string& data) {
    return std::string("\xc0\x0c\x00", 3) + static_cast<char>(type) + std::string("\x00\x01", 2) +
           ttl + '\0' + static_cast<char>(data.size()) + data;
  }
  const std::string minute_ = std::string("\x00\x00\x00\x3c", 4);
  const std::string target_ = std::string("\x00\x0a\x01h\x00", 5);
  std::string bytes_;
};

TEST_F(ReplyTest, OnlyTheReplyToTheQuestionCounts) {
  EXPECT_EQ(Read().kind, ReplyKind::kAnswer);
  EXPECT_EQ(Read(8).kind, ReplyKind::kMismatch);
  EXPECT_EQ(Read(7, "my.example").kind, ReplyKind::kMismatch);
  EXPECT_EQ(Read(7, "mx.example", RecordType::kA).kind, ReplyKind::kMismatch);
  bytes_[13] = 'M';  // the server wrote it in capitals
  EXPECT_EQ(Read().kind, ReplyKind::kAnswer);
  bytes_[27] = 3;  // class CHAOS
  EXPECT_EQ(Read().kind, ReplyKind::kMismatch);
  bytes_[27] = 1;
  bytes_[2] = 0x01;  // a question
  EXPECT_EQ(Read().kind, ReplyKind::kMismatch);
  bytes_[2] = static_cast<char>(0x89);  // of another opcode
  EXPECT_EQ(Read().kind, ReplyKind::kMismatch);
}

TEST_F(ReplyTest, AnErrorMayLeaveTheQuestionOut) {
  bytes_.resize(12);
  bytes_[5] = 0;
  EXPECT_EQ(Read().kind, ReplyKind::kMismatch);
  bytes_[3] = 1;
  const Reply reply = Read();
  EXPECT_EQ(reply.kind, ReplyKind::kServerError);
  EXPECT_EQ(reply.code, ResponseCode::kFormatError);
}

TEST_F(ReplyTest, TheLowestTtlHolds) {
  Add(1, Record(15, std::string("\x00\x00\x0e\x10", 4), target_));
  Add(1, Record(15, minute_, target_));
  const Reply reply = Read();
  EXPECT_EQ(reply.answer, AnswerKind::kRecords);
  EXPECT_EQ(reply.ttl_s, 60u);
  EXPECT_EQ(reply.mx.size(), 2u);
  EXPECT_EQ(reply.mx[0], (MxRecord{10, "h"}));
}

TEST_F(ReplyTest, ATtlWithTheHighestBitIsZero) {
  Add(1, Record(15, "\x80\x01\x01\x01", target_));
  EXPECT_EQ(Read().ttl_s, 0u);
}

TEST_F(ReplyTest, RecordsOfOthersDoNotCount) {
  std::string other = Record(15, minute_, target_);
  other.replace(0, 2, std::string("\x01z\x00", 3));
  Add(1, other);
  EXPECT_EQ(Read().answer, AnswerKind::kNoData);
}

TEST_F(ReplyTest, DataThatIsNotWhatItShouldBe) {
  for (const std::string& data :
       {std::string("\x00\x0a", 2), std::string("\x00\x0a\x01h", 4), target_ + "x"}) {
    const std::string before = bytes_;
    Add(1, Record(15, minute_, data));
    EXPECT_EQ(Read().kind, ReplyKind::kMalformed);
    bytes_ = before;
  }
  Add(1, Record(1, minute_, "12345"));
  EXPECT_EQ(Read().kind, ReplyKind::kMalformed);
}

TEST_F(ReplyTest, ARecordThatIsAnnouncedAndNotThere) {
  bytes_[7] = 1;
  EXPECT_EQ(Read().kind, ReplyKind::kMalformed);
}

TEST_F(ReplyTest, ANegativeTtlIsTheSmallerOneOfTheSoa) {
  const std::string names("\x00\x00", 2);
  std::string numbers(20, '\0');
  numbers[19] = 30;
  Add(2, Record(6, minute_, names + numbers));
  EXPECT_EQ(Read().ttl_s, 30u);
  bytes_.back() = 90;
  EXPECT_EQ(Read().ttl_s, 60u);
}

// RFC 1035 3.3.14, RFC 7208 3.3: the strings of one record belong together, those of two do not.
TEST_F(ReplyTest, TheStringsOfATextAreJoined) {
  bytes_ = Question("mx.example", RecordType::kTxt, 7, false);
  bytes_[2] = static_cast<char>(0x81);
  Add(1, Record(16, minute_, std::string("\x07v=spf1 \x00\x04-All", 14)));
  Add(1, Record(16, minute_, std::string("\x00", 1)));
  const Reply reply = Read(7, "mx.example", RecordType::kTxt);
  EXPECT_EQ(reply.answer, AnswerKind::kRecords);
  EXPECT_THAT(reply.texts, testing::ElementsAre("", "v=spf1 -All"));
  EXPECT_EQ(reply.ttl_s, 60u);
}

TEST_F(ReplyTest, ATextThatIsLongerThanItsRecord) {
  bytes_ = Question("mx.example", RecordType::kTxt, 7, false);
  bytes_[2] = static_cast<char>(0x81);
  for (const std::string& data : {std::string("\x05v=sp", 5), std::string()}) {
    const std::string before = bytes_;
    Add(1, Record(16, minute_, data));
    EXPECT_EQ(Read(7, "mx.example", RecordType::kTxt).kind, ReplyKind::kMalformed);
    bytes_ = before;
  }
}

TEST_F(ReplyTest, TheNamesOfAnAddress) {
  bytes_ = Question("5.2.0.192.in-addr.arpa", RecordType::kPtr, 7, false);
  bytes_[2] = static_cast<char>(0x81);
  Add(1, Record(12, minute_,
                std::string("\x02mx\x07"
                            "Example\x00",
                            12)));
  Add(1, Record(12, minute_,
                std::string("\x01"
                            "a\x00",
                            3)));
  EXPECT_THAT(Read(7, "5.2.0.192.in-addr.arpa", RecordType::kPtr).names,
              testing::ElementsAre("a", "mx.example"));
}

// RFC 2317: whoever has less than a /24 finds his names behind an alias that is no host name.
TEST_F(ReplyTest, TheNamesOfAnAddressBehindAnAlias) {
  bytes_ = Question("5.2.0.192.in-addr.arpa", RecordType::kPtr, 7, false);
  bytes_[2] = static_cast<char>(0x81);
  const std::string target(
      "\x01"
      "5\x03"
      "0/7\x01"
      "2\xc0\x10",
      10);  // 5.0/7.2.0.192....
  Add(1, Record(5, minute_, target));
  std::string pointer = Record(12, minute_,
                               std::string("\x02mx\x07"
                                           "example\x00",
                                           12));
  pointer.replace(0, 2, target);
  Add(1, pointer);
  const Reply reply = Read(7, "5.2.0.192.in-addr.arpa", RecordType::kPtr);
  EXPECT_EQ(reply.answer, AnswerKind::kRecords);
  EXPECT_THAT(reply.names, testing::ElementsAre("mx.example"));
}

TEST_F(ReplyTest, MappedIpv4InAnAaaaRecordIsNoAddress) {
  bytes_ = Question("mx.example", RecordType::kAaaa, 7, false);
  bytes_[2] = static_cast<char>(0x81);
  std::string mapped(16, '\0');
  mapped[10] = mapped[11] = static_cast<char>(0xff);
  mapped[15] = 1;
  Add(1, Record(28, minute_, mapped));
  EXPECT_EQ(Read(7, "mx.example", RecordType::kAaaa).answer, AnswerKind::kNoData);
}

}  // namespace
}  // namespace outbox::dns
