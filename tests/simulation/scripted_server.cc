#include "tests/simulation/scripted_server.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/utf8.h"
#include "tests/smtp/naive_body.h"

namespace outbox::simulation {
namespace {

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

// What is between < and >.
std::string PathOf(std::string_view line) {
  const size_t open = line.find('<');
  const size_t close = line.find('>', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return "";
  return std::string(line.substr(open + 1, close - open - 1));
}

// What is behind it.
std::string ParametersOf(std::string_view line) {
  const size_t close = line.find('>');
  return std::string(close == std::string_view::npos ? "" : line.substr(close + 1));
}

}  // namespace

class ScriptedServer::Session {
 public:
  Session(ScriptedServer* server, uint64_t id, io::Socket socket)
      : server_(server),
        id_(id),
        client_(server->io_->PeerAddress(socket).ip),
        peer_(
            server->io_, socket, [this] { Process(); }, [this](int error) { OnEnd(error); }) {
    Answer("connect", "220 " + server->script_.name + " ESMTP", [](const std::string&) {});
  }

  bool gone() const { return peer_.gone(); }
  bool closing() const { return peer_.closing(); }
  void Resume(std::function<void()> step) {
    busy_ = false;
    step();
    Process();
  }

 private:
  void OnEnd(int /*error*/) {
    peer_.Close(false);
    server_->Reap();
  }

  void Violation(const std::string& what) { server_->violations_.push_back(what); }

  void Process() {
    while (!busy_ && !stalled_ && !peer_.closing()) {
      if (in_data_) {
        if (!ProcessContent()) return;
        continue;
      }
      if (in_chunk_) {
        if (!ProcessChunk()) return;
        continue;
      }
      std::string line;
      if (!peer_.TakeLine(&line)) return;
      Command(line);
    }
  }

  // Runs `then` with the reply once it has been said, after whatever the table wants here.
  void Answer(const std::string& at, std::string reply,
              std::function<void(const std::string&)> then) {
    const ScriptRule* rule = server_->Match(at);
    if (rule == nullptr) return Say(reply, ScriptRule::Then::kGoOn, then);
    if (!rule->keep_reply) reply = rule->reply;
    const ScriptRule::Then end = rule->then;
    if (rule->delay_ns == 0) return Say(reply, end, then);
    Later(rule->delay_ns, [this, reply, end, then] { Say(reply, end, then); });
  }

  void Later(int64_t delay_ns, std::function<void()> step) {
    busy_ = true;
    server_->io_->world()->Schedule(
        delay_ns, [server = server_, id = id_, step, alive = std::weak_ptr<int>(server_->alive_)] {
          if (alive.expired()) return;
          if (Session* self = server->Find(id)) self->Resume(step);
        });
  }

  void Say(const std::string& reply, ScriptRule::Then end,
           const std::function<void(const std::string&)>& then) {
    if (peer_.closing()) return;
    if (!reply.empty()) {
      then(reply);
      peer_.Write(reply + "\r\n");
    }
    switch (end) {
      case ScriptRule::Then::kGoOn:
        break;
      case ScriptRule::Then::kStall:
        stalled_ = true;
        peer_.SetReading(false);
        break;
      case ScriptRule::Then::kClose:
      case ScriptRule::Then::kReset:
        peer_.Close(end == ScriptRule::Then::kReset);
        server_->Reap();
        break;
    }
  }

  void Command(const std::string& line) {
    const bool more = !peer_.input().empty();
    const bool hello = server_->script_.lmtp
                           ? StartsWith(line, "LHLO")
                           : StartsWith(line, "EHLO") || StartsWith(line, "HELO");
    const bool last_of_group =
        hello || StartsWith(line, "DATA") || StartsWith(line, "QUIT") || StartsWith(line, "AUTH ");
    const bool chunk = StartsWith(line, "BDAT ");  // which has its octets behind it
    if (more && !chunk && (!pipelining_ || last_of_group)) Violation("bytes behind " + line);
    if (hello) return Hello(line);
    if (StartsWith(line, "AUTH ") && server_->script_.needs_auth) return Auth(line);
    if (line == "*" && server_->script_.needs_auth) {
      return Answer(line, "501 5.7.0 as you like", [](const std::string&) {});
    }
    if (StartsWith(line, "MAIL FROM:")) return Mail(line);
    if (StartsWith(line, "RCPT TO:")) return Recipient(line);
    if (StartsWith(line, "DATA")) return Data(line);
    if (chunk) return Bdat(line);
    if (StartsWith(line, "RSET")) {
      in_mail_ = false;
      return Answer(line, "250 2.0.0 forgotten", [](const std::string&) {});
    }
    if (StartsWith(line, "NOOP")) return Answer(line, "250 2.0.0 OK", [](const std::string&) {});
    if (StartsWith(line, "QUIT")) return Quit(line);
    Violation("unknown command " + line);
    Answer(line, "500 5.5.2 what?", [](const std::string&) {});
  }

  void Hello(const std::string& line) {
    helo_ = line.substr(std::min(line.size(), size_t{5}));
    std::string reply = "250 " + server_->script_.name;
    if (!StartsWith(line, "HELO")) {
      reply = "250-" + server_->script_.name;
      for (const std::string& extension : server_->script_.extensions) {
        reply += "\r\n250-" + extension;
      }
      reply[reply.rfind("250-") + 3] = ' ';
    }
    Answer(line, reply, [this](const std::string& said) {
      pipelining_ = said.find("PIPELINING") != std::string::npos;
      dsn_ = said.find("DSN") != std::string::npos;
    });
  }

  void Auth(const std::string& line) {
    if (!auth_.empty() || in_mail_) Violation("AUTH where it must not be");
    Answer(line, "235 2.7.0 ok", [this, line](const std::string& said) {
      if (said[0] == '2') auth_ = line;
    });
  }

  void Mail(const std::string& line) {
    if (server_->script_.needs_auth && auth_.empty()) {
      Violation("MAIL without AUTH");
      return Answer(line, "530 5.7.0 who are you?", [](const std::string&) {});
    }
    if (in_mail_) {
      Violation("nested MAIL");
      return Answer(line, "503 5.5.1 one at a time", [](const std::string&) {});
    }
    CheckUtf8(line);
    CheckAsks(line, {"RET=", "ENVID="});
    Answer(line, "250 2.1.0 OK", [this, line](const std::string& said) {
      in_mail_ = said[0] == '2';
      message_ = {};
      message_.reverse_path = PathOf(line);
      message_.auth = auth_;
      message_.asks = ParametersOf(line);
      message_.dsn = dsn_;
    });
  }

  // RFC 6531 3.4: the parameter only where it is offered, and UTF-8 only with it.
  void CheckUtf8(const std::string& line) {
    const std::vector<std::string>& offered = server_->script_.extensions;
    if (StartsWith(line, "MAIL")) utf8_ = line.find(" SMTPUTF8") != std::string::npos;
    if (utf8_ && std::find(offered.begin(), offered.end(), "SMTPUTF8") == offered.end()) {
      Violation("SMTPUTF8, which is not offered");
    }
    if (!utf8_ && !core::IsAscii(line)) Violation("UTF-8 without SMTPUTF8: " + line);
  }

  // RFC 3461: what was not offered is not used.
  void CheckAsks(const std::string& line, std::initializer_list<const char*> words) {
    for (const char* const word : words) {
      if (!dsn_ && line.find(word) != std::string::npos) Violation("nobody offers DSN: " + line);
    }
  }

  void Recipient(const std::string& line) {
    CheckUtf8(line);
    const std::string recipient = PathOf(line);
    const bool full = message_.recipients.size() >= server_->script_.recipients_max;
    const std::string reply = !in_mail_ ? "503 5.5.1 MAIL first"
                              : full    ? server_->script_.too_many_reply
                                        : "250 2.1.5 OK";
    CheckAsks(line, {"NOTIFY=", "ORCPT="});
    Answer(line, reply, [this, recipient, asks = ParametersOf(line)](const std::string& said) {
      if (said[0] == '2') {
        message_.recipients.push_back(recipient);
        message_.recipients_ask.push_back(asks);
      }
      if (in_mail_) {
        server_->answers_.push_back({id_, recipient, said, server_->io_->world()->now_ns(), false});
      }
    });
  }

  void Data(const std::string& line) {
    if (!in_mail_ || message_.recipients.empty()) {
      return Answer(line, in_mail_ ? "554 5.5.1 no valid recipients" : "503 5.5.1 MAIL first",
                    [](const std::string&) {});
    }
    Answer(line, "354 go on", [this](const std::string& said) {
      in_data_ = said[0] == '3';
      NoteRefusal(said);
      body_seen_ = false;
    });
  }

  void Bdat(const std::string& line) {
    const auto& offered = server_->script_.extensions;
    if (std::find(offered.begin(), offered.end(), "CHUNKING") == offered.end()) {
      Violation("BDAT is not offered");
    }
    chunk_line_ = line;
    in_chunk_ = true;
  }

  // RFC 3030. True when something was done.
  bool ProcessChunk() {
    std::string& input = peer_.input();
    char* end = nullptr;
    const size_t size = std::strtoull(chunk_line_.c_str() + 5, &end, 10);
    if (input.size() < size) return false;
    const std::string content = input.substr(0, size);
    input.erase(0, size);
    in_chunk_ = false;
    if (std::string_view(end) != " LAST") Violation("a chunk that is not the last one");
    const bool mail = std::exchange(in_mail_, false);
    if (!mail || message_.recipients.empty()) {
      Answer(chunk_line_, mail ? "554 5.5.1 no valid recipients" : "503 5.5.1 MAIL first",
             [](const std::string&) {});
    } else if (const ScriptRule* rule = server_->Match("BDAT"); rule != nullptr) {
      Say(rule->reply, rule->then, [](const std::string&) {});
    } else {
      message_.content = smtp::NaiveStuffed(content);
      message_.content.resize(message_.content.size() - 3);
      Complete();
    }
    return true;
  }

  // True when something was done.
  bool ProcessContent() {
    std::string& input = peer_.input();
    if (input.empty()) return false;
    if (!body_seen_) {
      body_seen_ = true;
      if (const ScriptRule* rule = server_->Match("body"); rule != nullptr) {
        if (rule->delay_ns > 0) {
          peer_.SetReading(false);
          Later(rule->delay_ns, [this] { peer_.SetReading(true); });
        }
        Say(rule->reply, rule->then, [](const std::string&) {});
        return true;
      }
    }
    size_t end = StartsWith(input, ".\r\n") ? 0 : input.find("\r\n.\r\n", scanned_);
    if (end == std::string::npos) {
      scanned_ = input.size() < 4 ? 0 : input.size() - 4;  // the end may have come in part
      return false;
    }
    scanned_ = 0;
    if (end > 0) end += 2;
    message_.content = input.substr(0, end);
    input.erase(0, end + 3);
    in_data_ = false;
    in_mail_ = false;
    if (!input.empty() && !pipelining_) Violation("bytes behind the final dot");
    Complete();
    return true;
  }

  void NoteRefusal(const std::string& said) {
    if (said.starts_with("5") && server_->on_refused_) server_->on_refused_(message_.recipients);
  }

  void Complete() {
    message_.session = id_;
    message_.client = client_;
    message_.helo = helo_;
    if (server_->script_.lmtp) return JudgeEach();
    if (!server_->on_message_) return Judge("250 2.0.0 taken");
    busy_ = true;
    server_->on_message_(message_,
                         [server = server_, id = id_,
                          alive = std::weak_ptr<int>(server_->alive_)](std::string reply) {
                           if (alive.expired()) return;
                           if (Session* self = server->Find(id)) {
                             self->Resume([self, reply] { self->Judge(reply); });
                           }
                         });
  }

  // RFC 2033 4.2.
  void JudgeEach() {
    TakenMessage taken = message_;
    taken.recipients.clear();
    taken.recipients_ask.clear();
    std::string replies;
    ScriptRule::Then end = ScriptRule::Then::kGoOn;
    for (size_t i = 0; i < message_.recipients.size(); ++i) {
      const std::string& recipient = message_.recipients[i];
      const ScriptRule* rule = server_->Match(". <" + recipient + ">");
      const std::string reply = rule == nullptr ? "250 2.0.0 taken" : rule->reply;
      if (reply[0] == '2') {
        taken.recipients.push_back(recipient);
        taken.recipients_ask.push_back(message_.recipients_ask[i]);
      }
      replies += (replies.empty() ? "" : "\r\n") + reply;
      if (rule != nullptr) end = rule->then;
      if (end != ScriptRule::Then::kGoOn) break;
    }
    taken.taken_ns = server_->io_->world()->now_ns();
    if (!taken.recipients.empty()) server_->taken_.push_back(taken);
    Say(replies, end, [](const std::string&) {});
  }

  void Judge(const std::string& reply) {
    // A server that ends the connection instead of its reply has taken the message all the same, if
    // that was to be its reply: the worst that can happen to a client.
    const ScriptRule* rule = server_->Match(".");
    const bool taken = reply[0] == '2' && (rule == nullptr || rule->keep_reply ||
                                           rule->reply.empty() || rule->reply[0] == '2');
    if (taken) {
      message_.taken_ns = server_->io_->world()->now_ns();
      server_->taken_.push_back(message_);
    }
    if (rule == nullptr) return Say(reply, ScriptRule::Then::kGoOn, [](const std::string&) {});
    const std::string said = rule->keep_reply ? reply : rule->reply;
    NoteRefusal(said);
    if (said.empty() && rule->then == ScriptRule::Then::kGoOn) return;
    const ScriptRule::Then end = rule->then;
    Later(rule->delay_ns, [this, said, end] { Say(said, end, [](const std::string&) {}); });
  }

  void Quit(const std::string& line) {
    for (TakenMessage& message : server_->taken_) {
      if (message.session == id_) message.clean = true;
    }
    for (RecipientAnswer& answer : server_->answers_) {
      if (answer.session == id_) answer.clean = true;
    }
    Answer(line, "221 2.0.0 bye", [](const std::string&) {});
    if (stalled_) return;
    peer_.Close(false);
    server_->Reap();
  }

  ScriptedServer* server_;
  uint64_t id_;
  const core::IpAddress client_;
  std::string helo_;
  TakenMessage message_;
  bool pipelining_ = false;
  bool utf8_ = false;  // MAIL had SMTPUTF8
  bool dsn_ = false;
  bool in_mail_ = false;
  std::string auth_;  // the command that was taken
  bool in_data_ = false;
  bool in_chunk_ = false;
  std::string chunk_line_;
  bool body_seen_ = false;
  size_t scanned_ = 0;  // of the input, without an end of the content
  bool busy_ = false;
  bool stalled_ = false;
  LinePeer peer_;
};

ScriptedServer::ScriptedServer(io::SimIo* io, const core::SocketAddress& address, Script script)
    : io_(io),
      address_(address),
      script_(std::move(script)),
      listener_(io->Listen(address, false).value()) {
  accept_.Bind<&ScriptedServer::OnAccept>(this);
  io_->Accept(&accept_, listener_);
}

ScriptedServer::~ScriptedServer() = default;

void ScriptedServer::OnAccept(const io::OpResult& result) {
  if (result.result >= 0) {
    const uint64_t id = ++sessions_total_;
    sessions_[id] = std::make_unique<Session>(this, id, result.result);
    open_peak_ = std::max(open_peak_, sessions_.size());
  }
  if (!result.more) io_->Accept(&accept_, listener_);
}

ScriptedServer::Session* ScriptedServer::Find(uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void ScriptedServer::Reap() {
  if (reap_scheduled_) return;
  reap_scheduled_ = true;
  io_->world()->Schedule(core::kNsPerMs, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    reap_scheduled_ = false;
    std::erase_if(sessions_, [](const auto& entry) { return entry.second->gone(); });
    // Some may still be waiting for their last operation.
    for (const auto& [id, session] : sessions_) {
      if (session->closing()) return Reap();
    }
  });
}

ScriptRule* ScriptedServer::Match(std::string_view at) {
  for (ScriptRule& rule : script_.rules) {
    if (rule.times == 0 || rule.at.empty() || !StartsWith(at, rule.at)) continue;
    if (!io_->world()->Chance(rule.chance_ppm)) continue;
    if (rule.times > 0) --rule.times;
    return &rule;
  }
  return nullptr;
}

}  // namespace outbox::simulation
