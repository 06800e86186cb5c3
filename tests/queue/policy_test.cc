// The pure parts: outcome, retry policy, ready list.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "queue/outcome.h"
#include "queue/ready_list.h"
#include "queue/retry_policy.h"

namespace outbox::queue {
namespace {

using core::kNever;
using core::kNsPerMinute;
using core::kNsPerMs;
using core::kNsPerSecond;

smtp::RecipientResult Reply(uint16_t code, smtp::ResultKind kind = smtp::ResultKind::kReply) {
  smtp::RecipientResult result;
  result.kind = kind;
  result.reply.code = code;
  return result;
}

TEST(OutcomeTest, Recipients) {
  const struct {
    uint16_t code;
    smtp::ResultKind kind;
    Action action;
  } kTable[] = {
      {250, smtp::ResultKind::kReply, Action::kDelivered},
      {251, smtp::ResultKind::kReply, Action::kDelivered},
      {354, smtp::ResultKind::kReply, Action::kNextHost},
      {421, smtp::ResultKind::kReply, Action::kNextHost},
      {450, smtp::ResultKind::kReply, Action::kNextHost},
      {452, smtp::ResultKind::kReply, Action::kNextHost},
      {452, smtp::ResultKind::kTryNext, Action::kNextTransaction},
      {552, smtp::ResultKind::kTryNext, Action::kNextTransaction},
      {552, smtp::ResultKind::kReply, Action::kBounce},
      {550, smtp::ResultKind::kReply, Action::kBounce},
      {0, smtp::ResultKind::kTooLarge, Action::kBounce},
      {0, smtp::ResultKind::kNeeds8BitMime, Action::kBounce},
      {0, smtp::ResultKind::kLost, Action::kNextHost},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(JudgeRecipient(Reply(row.code, row.kind)), row.action)
        << row.code << " " << static_cast<int>(row.kind);
  }
}

TEST(OutcomeTest, Sessions) {
  using smtp::SessionEnd;
  using smtp::Stage;
  const struct {
    SessionEnd end;
    Stage stage;
    uint16_t code;
    bool refused;
    bool unreachable;
  } kTable[] = {
      {SessionEnd::kConnectFailed, Stage::kConnect, 0, false, true},
      {SessionEnd::kTimeout, Stage::kGreeting, 0, false, true},
      {SessionEnd::kRefused, Stage::kGreeting, 554, true, true},
      {SessionEnd::kRefused, Stage::kGreeting, 421, false, true},
      {SessionEnd::kRefused, Stage::kHello, 550, true, true},
      {SessionEnd::kShutdown, Stage::kMail, 421, false, true},
      {SessionEnd::kShutdown, Stage::kFinalDot, 421, false, false},
      {SessionEnd::kPeerClosed, Stage::kRcpt, 0, false, false},
      {SessionEnd::kQuit, Stage::kQuit, 0, false, false},
      {SessionEnd::kSourceFailed, Stage::kBody, 0, false, false},
      {SessionEnd::kShortage, Stage::kConnect, 0, false, false},
      {SessionEnd::kNoPort, Stage::kConnect, 0, false, false},
      {SessionEnd::kNoAddress, Stage::kConnect, 0, false, false},
  };
  for (const auto& row : kTable) {
    const HostJudgement judgement = JudgeSession(row.end, row.stage, row.code);
    EXPECT_EQ(judgement.refused, row.refused) << static_cast<int>(row.end);
    EXPECT_EQ(judgement.unreachable, row.unreachable) << static_cast<int>(row.end);
    const bool unsourced = row.end == SessionEnd::kNoAddress;
    const bool ours =
        row.end == SessionEnd::kShortage || row.end == SessionEnd::kNoPort || unsourced;
    EXPECT_EQ(judgement.ours, ours) << static_cast<int>(row.end);
    EXPECT_EQ(judgement.unsourced, unsourced) << static_cast<int>(row.end);
  }
  // What a host does not do for a route says nothing about its other mail.
  for (const SessionEnd end : {SessionEnd::kTlsFailed, SessionEnd::kTlsMissing}) {
    const HostJudgement judgement = JudgeSession(end, Stage::kTls, 554);
    EXPECT_TRUE(judgement.insecure && !judgement.refused && !judgement.unreachable);
  }
  for (const SessionEnd end : {SessionEnd::kTimeout, SessionEnd::kPeerClosed,
                               SessionEnd::kProtocolError, SessionEnd::kNetworkError}) {
    for (const Stage stage : {Stage::kStartTls, Stage::kTls}) {
      const HostJudgement judgement = JudgeSession(end, stage, 0);
      EXPECT_TRUE(judgement.insecure && !judgement.unreachable);
    }
    const HostJudgement auth = JudgeSession(end, Stage::kAuth, 0);
    EXPECT_TRUE(auth.unknown && auth.unfit() && !auth.unreachable && !auth.insecure);
    EXPECT_FALSE(JudgeSession(end, Stage::kHello, 0).unfit());
  }
  // A wrong secret bounces nothing, whatever the host says to it.
  for (const uint16_t code : {uint16_t{0}, uint16_t{454}, uint16_t{535}, uint16_t{550}}) {
    for (const SessionEnd end : {SessionEnd::kAuthRefused, SessionEnd::kAuthMissing}) {
      const HostJudgement judgement = JudgeSession(end, Stage::kAuth, code);
      EXPECT_TRUE(judgement.unknown && !judgement.refused && !judgement.unreachable);
    }
  }
  EXPECT_TRUE(JudgeSession(SessionEnd::kShutdown, Stage::kAuth, 421).unknown);
  EXPECT_EQ(JudgeLeftOver(2, 2), Verdict::kBounced);
  EXPECT_EQ(JudgeLeftOver(2, 1), Verdict::kDeferred);
  EXPECT_EQ(JudgeLeftOver(0, 0), Verdict::kDeferred);
}

TEST(OutcomeTest, SentencesAboutTls) {
  RecipientResult out;
  DescribeSession(smtp::SessionEnd::kTlsFailed, smtp::Stage::kTls,
                  {0, {}, "the certificate has expired"}, "10.1.2.3:25", {}, &out);
  EXPECT_EQ(out.enhanced, "4.7.5");
  EXPECT_EQ(out.text, "10.1.2.3:25 could not be spoken to over TLS: the certificate has expired");
  // A 5xx to STARTTLS is no answer about the mail.
  DescribeSession(smtp::SessionEnd::kTlsMissing, smtp::Stage::kStartTls,
                  {554, {5, 7, 0}, "not for you"}, "10.1.2.3:25", {}, &out);
  EXPECT_EQ(out.code, 0);
  EXPECT_EQ(out.enhanced, "4.7.4");
  EXPECT_EQ(out.text, "10.1.2.3:25 has no TLS for us, and the route requires it: 554 5.7.0 not for "
                      "you");
}

TEST(OutcomeTest, SentencesAboutAuth) {
  const struct {
    smtp::SessionEnd end;
    smtp::Reply reply;
    const char* enhanced;
    const char* text;
  } kTable[] = {
      {smtp::SessionEnd::kAuthRefused,
       {535, {5, 7, 8}, "bad credentials"},
       "4.7.8",
       "mx:587 refused our user me@example.com: 535 5.7.8 bad credentials"},
      {smtp::SessionEnd::kShutdown,
       {421, {4, 7, 0}, "too many errors"},
       "4.7.8",
       "mx:587 refused our user me@example.com: 421 4.7.0 too many errors"},
      {smtp::SessionEnd::kAuthRefused,
       {0, {}, "the challenge is no base64"},
       "4.7.0",
       "mx:587 cannot be told that we are the user me@example.com: the challenge is no base64"},
      {smtp::SessionEnd::kAuthMissing,
       {0, {}, "AUTH is not offered"},
       "4.7.0",
       "mx:587 cannot be told that we are the user me@example.com: AUTH is not offered"},
      {smtp::SessionEnd::kPeerClosed,
       {},
       "4.4.2",
       "mx:587 closed the connection while waiting for the answer to AUTH"},
  };
  for (const auto& row : kTable) {
    RecipientResult out;
    DescribeSession(row.end, smtp::Stage::kAuth, row.reply, "mx:587", "me@example.com", &out);
    EXPECT_EQ(out.code, 0);
    EXPECT_EQ(out.enhanced, row.enhanced);
    EXPECT_EQ(out.text, row.text);
  }
}

TEST(OutcomeTest, Sentences) {
  RecipientResult out;
  DescribeSession(smtp::SessionEnd::kTimeout, smtp::Stage::kGreeting, {}, "10.1.2.3:25", {}, &out);
  EXPECT_EQ(out.text, "10.1.2.3:25 did not answer in time while waiting for the greeting");
  EXPECT_EQ(out.enhanced, "4.4.2");
  smtp::Reply reply;
  reply.code = 554;
  reply.text = "go away";
  DescribeSession(smtp::SessionEnd::kRefused, smtp::Stage::kGreeting, reply, "h", {}, &out);
  EXPECT_EQ(out.text, "go away");
  EXPECT_EQ(out.code, 554);
  smtp::RecipientResult lost = Reply(0, smtp::ResultKind::kLost);
  lost.stage = smtp::Stage::kFinalDot;
  DescribeRecipient(lost, "h", &out);
  EXPECT_EQ(out.text,
            "the connection to h ended after the message was sent, before it was confirmed");
}

TEST(RetryPolicyTest, DelaysFollowTheScheduleAndAreNeverEarly) {
  core::Random random(1);
  const std::vector<int64_t> schedule = {kNsPerMinute, 5 * kNsPerMinute, 15 * kNsPerMinute};
  for (uint32_t attempts = 1; attempts < 10; ++attempts) {
    const int64_t period_ns = schedule[std::min<size_t>(attempts, 3) - 1];
    int64_t least_ns = kNever;
    int64_t most_ns = 0;
    for (int i = 0; i < 1000; ++i) {
      const int64_t delay_ns = RetryDelay(schedule, attempts, &random);
      least_ns = std::min(least_ns, delay_ns);
      most_ns = std::max(most_ns, delay_ns);
    }
    EXPECT_GE(least_ns, period_ns);
    EXPECT_LE(most_ns, period_ns + period_ns / 10);
    // Spread over all of that: what failed together does not come back together.
    EXPECT_GT(most_ns - least_ns, period_ns / 10 * 9 / 10);
  }
}

TEST(RetryPolicyTest, DeadlinesSaturate) {
  EXPECT_EQ(AddTime(kNever, 1), kNever);
  EXPECT_EQ(AddTime(kNever - 1, 5), kNever);
  EXPECT_EQ(ExpiryTime(100, kNever), kNever);
  EXPECT_EQ(NotifyTime(100, 50, 500, false), 150);
  EXPECT_EQ(NotifyTime(100, 50, 500, true), kNever);
  EXPECT_EQ(NotifyTime(100, kNever, 500, false), kNever);
  EXPECT_EQ(NotifyTime(100, 500, 500, false), kNever);
}

TEST(RetryPolicyTest, BackoffGrowsUpToThePeriod) {
  core::Random random(2);
  for (int64_t period_ns : {kNsPerMs, 50 * kNsPerMs, kNsPerSecond, 900 * kNsPerSecond}) {
    int64_t least_ns = 0;
    for (uint32_t failures = 1; failures < 300; ++failures) {
      const int64_t delay_ns = BackoffDelay(failures, period_ns, &random);
      ASSERT_GT(delay_ns, 0);
      ASSERT_LE(delay_ns, period_ns);
      ASSERT_GE(delay_ns, least_ns);  // a doubling is more than a tenth
      least_ns = std::min(period_ns, delay_ns * 10 / 11);
      if (failures >= 5) {
        ASSERT_EQ(delay_ns, period_ns);
      }
    }
  }
}

TEST(ReadyListTest, SendersTakeTurnsWithinAClass) {
  SenderQueuePool pool;
  ReadyList list(&pool);
  std::vector<std::unique_ptr<Ticket>> tickets;
  const auto push = [&](uint64_t sender, uint8_t priority) {
    tickets.push_back(std::make_unique<Ticket>());
    tickets.back()->sender_hash = sender;
    tickets.back()->priority = priority;
    tickets.back()->message_id = tickets.size();
    list.Push(tickets.back().get());
    return tickets.back().get();
  };
  for (int i = 0; i < 3; ++i) push(1, 1);  // 1 2 3
  push(2, 1);                              // 4
  Ticket* gone = push(2, 1);               // 5
  push(2, 1);                              // 6
  push(3, 0);                              // 7
  push(3, 200);                            // 8: the last class
  list.Remove(gone);
  std::vector<uint64_t> order;
  while (Ticket* ticket = list.Pop()) order.push_back(ticket->message_id);
  EXPECT_EQ(order, (std::vector<uint64_t>{7, 1, 4, 2, 6, 3, 8}));
}

}  // namespace
}  // namespace outbox::queue
