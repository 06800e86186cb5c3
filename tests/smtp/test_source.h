// TestSource: a DeliverySource that has a list of messages and lends them window by window.
#ifndef OUTBOX_TESTS_SMTP_TEST_SOURCE_H_
#define OUTBOX_TESTS_SMTP_TEST_SOURCE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "smtp/client_connection.h"
#include "smtp/delivery_source.h"
#include "tests/smtp/sim_shard.h"

namespace outbox::smtp {

struct OutgoingMail {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::string prefix;
  std::string body;  // wire form
  uint64_t size = 0;
  bool eight_bit = false;
  uint64_t stuffed_dots = 0;
};

class TestSource final : public DeliverySource {
 public:
  struct Told {
    ResultKind kind = ResultKind::kReply;
    Stage stage = Stage::kConnect;
    uint16_t code = 0;
    std::string text;
    int times = 0;
  };

  TestSource(SimShard* shard, std::vector<OutgoingMail> mail, uint32_t late_percent, uint64_t seed)
      : context(ContextOf(shard)),
        connection(&context, this),
        mail_(std::move(mail)),
        late_percent_(late_percent),
        random_(seed),
        shard_(shard) {
    timer_.Bind<&TestSource::OnTimer>(this);
    for (const OutgoingMail& m : mail_) {
      told.emplace_back(m.recipients.size());
      views_.emplace_back(m.recipients.begin(), m.recipients.end());
    }
  }

  NextAnswer NextTransaction(DeliveryRequest* request) override {
    CHECK(!ended);
    if (next_ == std::min(mail_.size(), mail_max)) {
      return quit_when_done ? NextAnswer::kNo : NextAnswer::kLater;
    }
    if (Late(&late_transaction_)) return NextAnswer::kLater;
    const OutgoingMail& m = mail_[next_];
    request->envelope = {m.reverse_path, views_[next_], m.size, m.eight_bit};
    request->prefix = m.prefix;
    request->stuffed_dots = m.stuffed_dots;
    request->cookie = next_++;
    sent_.push_back(0);
    return NextAnswer::kYes;
  }
  NextAnswer NextWindow(uint64_t cookie, BodyWindow* window) override {
    CHECK(!ended && cookie + 1 == sent_.size());
    if (fail_windows) return NextAnswer::kNo;
    if (hold_windows) return NextAnswer::kLater;
    if (Late(&late_window_)) return NextAnswer::kLater;
    const std::string& body = mail_[cookie].body;
    size_t& at = sent_[cookie];
    const size_t size = std::min<size_t>(body.size() - at, 1 + random_.Below(window_max));
    // A copy, so that a read after the release is found.
    auto copy = std::make_unique<std::string>(body.substr(at, size));
    at += size;
    *window = {{copy->data(), copy->size()}, ++last_token_, at == body.size()};
    windows_[last_token_] = std::move(copy);
    return NextAnswer::kYes;
  }
  void ReleaseWindow(uint64_t, uint64_t token) override {
    CHECK(!ended);
    const auto found = windows_.find(token);
    CHECK(found != windows_.end());
    std::fill(found->second->begin(), found->second->end(), '#');
    windows_.erase(found);
  }
  void OnResult(uint64_t cookie, uint16_t recipient, const RecipientResult& result) override {
    Told& t = told[cookie][recipient];
    t = {result.kind, result.stage, result.reply.code, std::string(result.reply.text), t.times + 1};
  }
  void OnTransactionDone(uint64_t cookie) override {
    for (const Told& t : told[cookie]) CHECK(t.times == 1);
    done.push_back(cookie);
  }
  void OnSessionEnd(SessionEnd e, Stage s, const Reply& reply) override {
    CHECK(!ended && windows_.empty());
    timer_.Cancel();
    ended = true;
    end = e;
    stage = s;
    text = std::string(reply.text);
    code = reply.code;
  }

  ClientContext context;
  ClientConnection connection;
  std::vector<std::vector<Told>> told;  // by message, by recipient
  std::vector<uint64_t> done;
  bool quit_when_done = true;
  size_t mail_max = SIZE_MAX;  // of the messages, those that may go
  bool fail_windows = false;
  bool hold_windows = false;  // the body does not come
  size_t window_max = 20'000;
  bool ended = false;
  SessionEnd end = SessionEnd::kQuit;
  Stage stage = Stage::kIdle;
  uint16_t code = 0;
  std::string text;

 private:
  static ClientContext ContextOf(SimShard* shard) {
    ClientContext made;
    made.io = &shard->io;
    made.wheel = &shard->wheel;
    made.blocks = &shard->blocks;
    made.rings = &shard->rings;
    made.session.helo_name = "client.example.org";
    return made;
  }
  // Sometimes says kLater, and yes the next time.
  bool Late(bool* late) {
    if (*late) {
      *late = false;
      return false;
    }
    *late = random_.Chance(late_percent_, 100);
    if (*late) {
      CHECK(timer_.Set(&shard_->wheel, shard_->io.now_ns() + random_.Between(0, 300'000'000)));
    }
    return *late;
  }
  void OnTimer() {
    if (late_window_) connection.OfferWindow();
    if (late_transaction_ && !ended) connection.Poke();
  }

  std::vector<OutgoingMail> mail_;
  std::vector<std::vector<std::string_view>> views_;
  uint32_t late_percent_;
  core::Random random_;
  SimShard* shard_;
  core::Timer timer_;
  size_t next_ = 0;
  std::vector<size_t> sent_;
  bool late_transaction_ = false;
  bool late_window_ = false;
  uint64_t last_token_ = 0;
  std::map<uint64_t, std::unique_ptr<std::string>> windows_;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_TEST_SOURCE_H_
