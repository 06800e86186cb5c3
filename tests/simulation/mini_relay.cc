#include "tests/simulation/mini_relay.h"

#include <cstdlib>
#include <utility>

#include "core/check.h"

namespace outbox::simulation {

// Disk operations one after another, up to the first that fails. The first may open a file.
class MiniRelay::Steps {
 public:
  using Step = std::function<void(Steps* self, io::Op* op)>;

  Steps(std::vector<Step> steps, std::string text, std::function<void(Steps* self, bool ok)> done)
      : bytes(std::move(text)), steps_(std::move(steps)), done_(std::move(done)) {
    op_.Bind<&Steps::OnDone>(this);
    part = {bytes.data(), bytes.size()};
  }
  void Start() { steps_[next_++](this, &op_); }
  bool over() const { return over_; }

  io::File file = io::kNoHandle;
  std::string bytes;  // to write, or read
  iovec part;

 private:
  void OnDone(const io::OpResult& result) {
    if (next_ == 1) file = result.result;
    if (result.result >= 0 && next_ < steps_.size()) return Start();
    done_(this, result.result >= 0);
    over_ = true;  // and not before: what it starts sweeps up those that are over
  }

  std::vector<Step> steps_;
  std::function<void(Steps*, bool)> done_;
  io::Op op_;
  size_t next_ = 0;
  bool over_ = false;
};

MiniRelay::MiniRelay(io::SimWorld* world, const RelayOptions& options, MiniRelayFault fault)
    : world_(world), options_(options), fault_(fault) {}

MiniRelay::~MiniRelay() { Vanish(); }

std::string MiniRelay::PathOf(uint64_t number) const {
  return options_.spool + "/" + std::to_string(number);
}

void MiniRelay::Run(std::unique_ptr<Steps> steps) {
  std::erase_if(steps_, [](const auto& one) { return one->over(); });
  steps_.push_back(std::move(steps));
  steps_.back()->Start();
}

void MiniRelay::Start() {
  CHECK(io_ == nullptr);
  io_ = std::make_unique<io::SimIo>(world_, kRelayNode);
  alive_ = std::make_shared<int>(0);
  client_ = std::make_unique<ScriptedClient>(io_.get());
  counters_ = {};
  Recover();
}

void MiniRelay::Vanish() {
  if (io_ == nullptr) return;
  if (!io_->abandoned()) io_->Abandon();
  alive_.reset();
  server_.reset();
  client_.reset();
  steps_.clear();
  items_.clear();
  files_.clear();
  io_.reset();
}

// Everything is on the disk: an orderly stop has nothing to do.
void MiniRelay::Stop() { Vanish(); }

// --- The disk: "sender \n recipient \n time \n content", one file a recipient ---

void MiniRelay::Recover() {
  Run(std::make_unique<Steps>(
      std::vector<Steps::Step>{
          [this](Steps*, io::Op* op) { io_->MakeDirectory(op, options_.spool); },
          [this](Steps*, io::Op* op) { io_->SyncDirectory(op, "/"); },
          [this](Steps*, io::Op* op) { io_->ListDirectory(op, options_.spool, &files_); },
      },
      "", [this](Steps*, bool) { ReadNext(); }));
}

void MiniRelay::ReadNext() {
  while (!files_.empty() && files_.back().name.find('.') != std::string::npos) files_.pop_back();
  if (files_.empty()) return Listen();
  const io::FileInfo info = files_.back();
  files_.pop_back();
  const uint64_t number = strtoull(info.name.c_str(), nullptr, 10);
  Run(std::make_unique<Steps>(
      std::vector<Steps::Step>{
          [this, number](Steps*, io::Op* op) { io_->Open(op, PathOf(number), {}); },
          [this](Steps* self, io::Op* op) { io_->Read(op, self->file, self->bytes, 0); },
          [this](Steps* self, io::Op* op) { io_->CloseFile(op, self->file); },
      },
      std::string(info.size, '\0'), [this, number](Steps* self, bool) {
        Item item;
        item.number = number;
        std::string* fields[] = {&item.sender, &item.recipient, &item.content};
        std::string rest = self->bytes;
        for (int i = 0; i < 3; ++i) {
          const size_t end = rest.find('\n');
          if (i < 2) *fields[i] = rest.substr(0, end);
          if (i == 2) item.accepted_wall_ns = strtoll(rest.c_str(), nullptr, 10);
          rest.erase(0, end + 1);
        }
        item.content = rest;
        last_number_ = std::max(last_number_, number);
        ++counters_.recovered;
        items_[number] = item;
        ReadNext();
      }));
}

void MiniRelay::Listen() {
  Script script;
  script.name = options_.hostname;
  server_ = std::make_unique<ScriptedServer>(io_.get(), options_.listen, script);
  server_->set_on_message([this](const TakenMessage& message, ScriptedServer::Verdict verdict) {
    OnMessage(message, std::move(verdict));
  });
  for (const auto& [number, item] : items_) Later(number);
}

void MiniRelay::Store(const Item& item, bool sync, std::function<void(bool)> done) {
  const std::string path = PathOf(item.number);
  std::vector<Steps::Step> steps = {
      [this, path](Steps*, io::Op* op) {
        io_->Open(op, path + ".tmp", {.write = true, .create = true});
      },
      [this](Steps* self, io::Op* op) {
        io_->Write(op, self->file, {&self->part, 1}, 0);
      },
      [this](Steps* self, io::Op* op) { io_->Sync(op, self->file); },
      [this](Steps* self, io::Op* op) { io_->CloseFile(op, self->file); },
      [this, path](Steps*, io::Op* op) { io_->Rename(op, path + ".tmp", path); },
      [this](Steps*, io::Op* op) { io_->SyncDirectory(op, options_.spool); },
  };
  if (!sync) {
    steps.erase(steps.begin() + 2);
    steps.pop_back();
  }
  Run(std::make_unique<Steps>(std::move(steps),
                              item.sender + "\n" + item.recipient + "\n" +
                                  std::to_string(item.accepted_wall_ns) + "\n" + item.content,
                              [done = std::move(done)](Steps*, bool ok) { done(ok); }));
}

void MiniRelay::Forget(uint64_t number) {
  items_.erase(number);
  if (fault_ == MiniRelayFault::kForgetDone) return;
  Run(std::make_unique<Steps>(
      std::vector<Steps::Step>{
          [this, number](Steps*, io::Op* op) { io_->Unlink(op, PathOf(number)); },
          [this](Steps*, io::Op* op) { io_->SyncDirectory(op, options_.spool); },
      },
      "", [](Steps*, bool) {}));
}

// --- Mail ---

void MiniRelay::OnMessage(const TakenMessage& message, ScriptedServer::Verdict verdict) {
  struct Progress {
    size_t left;
    bool ok = true;
  };
  const auto progress = std::make_shared<Progress>(Progress{message.recipients.size()});
  for (const std::string& recipient : message.recipients) {
    Item item;
    item.number = ++last_number_;
    item.sender = message.reverse_path;
    item.recipient = recipient;
    item.accepted_wall_ns = io_->wall_ns();
    item.content = "Received: by " + options_.hostname + "\r\n" + message.content;
    if (fault_ == MiniRelayFault::kCutContent && item.number % 8 == 0) {
      item.content.erase(item.content.rfind('\n', item.content.size() - 2) + 1);
    }
    const bool sync = fault_ != MiniRelayFault::kAcknowledgeEarly;
    Store(item, sync, [this, item, progress, verdict](bool ok) {
      progress->ok = progress->ok && ok;
      if (ok) {
        items_[item.number] = item;
        ++counters_.accepted;
        Attempt(item.number);
      }
      if (--progress->left == 0) verdict(progress->ok ? "250 2.0.0 queued" : "451 4.3.0 disk");
    });
  }
}

void MiniRelay::Attempt(uint64_t number) {
  const Item& item = items_.at(number);
  const std::string domain = item.recipient.substr(item.recipient.find('@') + 1);
  for (const RelayRoute& route : options_.routes) {
    if (route.domain != domain) continue;
    const core::SocketAddress host = route.hosts[item.host % route.hosts.size()];
    if (client_->connections(host) >= options_.connections_max) return Later(number);
    return client_->Send(host, {item.sender, {item.recipient}, item.content}, {},
                         [this, number](const ClientResult& result) { OnResult(number, result); });
  }
  BounceMessage(number, "550 5.4.4 no route");
}

void MiniRelay::OnResult(uint64_t number, const ClientResult& result) {
  Item& item = items_.at(number);
  if (result.acknowledged) {
    ++counters_.delivered;
    return Forget(number);
  }
  // The reply to RCPT counts for the recipient, whatever DATA was answered then.
  const std::string& rcpt = result.recipient_replies[0];
  const std::string& said = rcpt.empty() || rcpt.starts_with("2") ? result.last_reply : rcpt;
  // A refusal of the recipient or of the message; what happens before MAIL is about the host.
  const bool envelope = !rcpt.empty();
  if (envelope && said.starts_with("5")) return BounceMessage(number, said);
  ++item.host;
  if (io_->wall_ns() - item.accepted_wall_ns > options_.expire_ns) {
    return BounceMessage(number, "450 4.4.7 expired");
  }
  if (fault_ == MiniRelayFault::kBounceDeferred && envelope) return BounceMessage(number, said);
  if (fault_ == MiniRelayFault::kForgetDeferred && said.starts_with("4")) return Forget(number);
  if (fault_ == MiniRelayFault::kRetryAtOnce) item.host = 0;
  Later(number);
}

void MiniRelay::Later(uint64_t number) {
  const bool at_once = fault_ == MiniRelayFault::kRetryAtOnce;
  const int64_t delay_ns =
      options_.retry_ns + static_cast<int64_t>(world_->random().Below(core::kNsPerSecond));
  world_->Schedule(at_once ? core::kNsPerSecond : delay_ns,
                   [this, number, alive = std::weak_ptr<int>(alive_)] {
                     if (!alive.expired()) Attempt(number);
                   });
}

void MiniRelay::BounceMessage(uint64_t number, const std::string& reply) {
  Item item = items_.at(number);
  if (item.sender.empty()) {
    ++counters_.bounced;
    return Forget(number);
  }
  // The DSN takes the place of the message in one rename: both or neither.
  Item dsn = item;
  dsn.content = Dsn(item, reply);
  dsn.recipient = item.sender;
  dsn.sender = "";
  dsn.host = 0;
  Store(dsn, true, [this, dsn, number, item](bool ok) {
    if (!ok) return Later(number);
    ++counters_.bounced;
    ++counters_.generated;
    items_[number] = dsn;
    Attempt(number);
    if (fault_ == MiniRelayFault::kBounceTwice) {
      Item second = dsn;
      second.number = ++last_number_;
      second.content = Dsn(item, "550 again");
      items_[second.number] = second;
      Attempt(second.number);
    }
  });
}

std::string MiniRelay::Dsn(const Item& item, const std::string& reply) const {
  return "Message-ID: <" + std::to_string(world_->random().Next()) + "@" + options_.hostname +
         ">\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"=b\"\r\n"
         "\r\n--=b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; " +
         options_.hostname + "\r\n\r\nFinal-Recipient: rfc822; " + item.recipient +
         "\r\nAction: failed\r\nDiagnostic-Code: smtp; " + reply + "\r\n\r\n--=b--\r\n";
}

RelayCounters MiniRelay::Counters() const {
  RelayCounters counters = counters_;
  counters.queued = items_.size();
  return counters;
}

std::set<std::string> MiniRelay::Queued() {
  std::set<std::string> queued;
  for (const auto& [number, item] : items_) queued.insert(item.recipient);
  return queued;
}

}  // namespace outbox::simulation
