#include "tests/dns/sim_name_server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"

namespace outbox::dns {
namespace {

constexpr uint16_t kA = 1;
constexpr uint16_t kNs = 2;
constexpr uint16_t kCname = 5;
constexpr uint16_t kSoa = 6;
constexpr uint16_t kMx = 15;
constexpr uint16_t kAaaa = 28;
constexpr int kNoSuchName = 3;
constexpr size_t kHeaderBytes = 12;

void Put16(std::string* out, unsigned value) {
  *out += static_cast<char>(value >> 8 & 0xff);
  *out += static_cast<char>(value & 0xff);
}

void Put32(std::string* out, uint32_t value) {
  Put16(out, value >> 16);
  Put16(out, value & 0xffff);
}

unsigned Get16(const std::string& bytes, size_t at) {
  return static_cast<unsigned>(static_cast<uint8_t>(bytes[at])) << 8 |
         static_cast<uint8_t>(bytes[at + 1]);
}

std::string WireName(std::string name) {
  std::string wire;
  if (name == ".") name.clear();
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    wire += static_cast<char>(dot);
    wire += name.substr(0, dot);
    name.erase(0, dot + 1);
  }
  return wire + '\0';
}

std::string WireRecord(const std::string& owner, uint16_t type, uint32_t ttl_s,
                       const std::string& data) {
  std::string wire = owner;
  Put16(&wire, type);
  Put16(&wire, 1);
  Put32(&wire, ttl_s);
  Put16(&wire, static_cast<unsigned>(data.size()));
  return wire + data;
}

}  // namespace

// One TCP connection: questions, each answered in its turn. On bare operations, which vanish with
// their abandoned Io.
class SimNameServer::Stream {
 public:
  Stream(SimNameServer* server, io::Socket socket) : server_(server), socket_(socket) {
    receive_.Bind<&Stream::OnReceived>(this);
    send_.Bind<&Stream::OnSent>(this);
    Receive();
  }
  bool closed() const { return socket_ == io::kNoHandle; }

 private:
  void Receive() { server_->io_.RecvInto(&receive_, socket_, buffer_); }

  void OnReceived(const io::OpResult& result) {
    if (result.result <= 0) ended_ = true;
    if (ended_) return MaybeClose();
    in_.append(buffer_.data(), static_cast<size_t>(result.result));
    AnswerNext();
    if (!ended_) Receive();
    MaybeClose();
  }
  void OnSent(const io::OpResult& result) {
    out_.clear();
    if (result.result < 0) ended_ = true;
    if (!ended_) AnswerNext();
    MaybeClose();
  }
  void MaybeClose() {
    if (!ended_ || closed() || receive_.in_flight || send_.in_flight) return;
    server_->io_.CloseSocket(std::exchange(socket_, io::kNoHandle), false);
  }
  void AnswerNext() {
    if (!out_.empty() || in_.size() < 2 || in_.size() < 2 + Get16(in_, 0)) return;
    const size_t size = Get16(in_, 0);
    Question question;
    if (!ReadQuestion(in_.substr(2, size), &question)) {
      ended_ = true;
      return;
    }
    in_.erase(0, 2 + size);
    int64_t delay_ns = 0;
    const std::string answer = server_->Answer(question, true, &delay_ns);
    if (answer.empty()) return;
    Put16(&out_, static_cast<unsigned>(answer.size()));
    out_ += answer;
    part_ = {out_.data(), out_.size()};
    server_->world_->Schedule(delay_ns, [this, alive = alive_] {
      if (*alive && !closed()) server_->io_.Send(&send_, socket_, {&part_, 1});
    });
  }

  // Held by what is scheduled for later.
  struct Alive {
    ~Alive() { *flag = false; }
    std::shared_ptr<bool> flag = std::make_shared<bool>(true);
  };

  SimNameServer* const server_;
  io::Socket socket_;
  io::Op receive_;
  io::Op send_;
  std::array<char, 512> buffer_ = {};
  std::string in_;
  std::string out_;
  iovec part_ = {};
  bool ended_ = false;
  Alive owner_;
  std::shared_ptr<bool> alive_ = owner_.flag;
};

SimNameServer::SimNameServer(io::SimWorld* world, const core::SocketAddress& address)
    : world_(world), io_(world, /*node=*/1000), address_(address) {
  world_->network().datagrams().SetHost(
      address_, [this](const core::SocketAddress& from, const std::string& bytes) {
        OnDatagram(from, bytes);
      });
  listener_ = io_.Listen(address_, false).value();
  accept_.Bind<&SimNameServer::OnAccept>(this);
  io_.Accept(&accept_, listener_);
}

SimNameServer::~SimNameServer() {
  *alive_ = false;
  world_->network().datagrams().SetHost(address_, nullptr);
  if (!io_.abandoned()) io_.Abandon();
}

void SimNameServer::OnAccept(const io::OpResult& result) {
  if (result.result >= 0) {
    std::erase_if(streams_, [](const std::unique_ptr<Stream>& old) { return old->closed(); });
    if (faults_.no_tcp) return io_.CloseSocket(result.result, true);
    streams_.push_back(std::make_unique<Stream>(this, result.result));
  }
  if (!result.more) io_.Accept(&accept_, listener_);
}

// --- What it knows -------------------------------------------------------------------------------

void SimNameServer::AddMx(const std::string& name, uint16_t preference, const std::string& host,
                          uint32_t ttl_s) {
  std::string data;
  Put16(&data, preference);
  names_[name].push_back({kMx, ttl_s, data + WireName(host), ""});
}

void SimNameServer::AddAddress(const std::string& name, const core::IpAddress& address,
                               uint32_t ttl_s) {
  const size_t skip = address.is_v4() ? 12 : 0;
  const std::string data(address.octets().begin() + static_cast<ptrdiff_t>(skip),
                         address.octets().end());
  names_[name].push_back({address.is_v4() ? kA : kAaaa, ttl_s, data, ""});
}

void SimNameServer::AddAlias(const std::string& name, const std::string& target, uint32_t ttl_s) {
  names_[name].push_back({kCname, ttl_s, WireName(target), target});
}

bool SimNameServer::Exists(const std::string& name) const {
  return std::any_of(names_.begin(), names_.end(), [&](const auto& entry) {
    return entry.first == name || entry.first.ends_with("." + name);
  });
}

// --- Questions -----------------------------------------------------------------------------------

void SimNameServer::Heal() {
  faults_ = SimNameFaults();
  faults_of_.clear();
}

SimNameFaults SimNameServer::FaultsFor(const std::string& name) {
  const auto found = faults_of_.find(name);
  if (found == faults_of_.end()) return faults_;
  const SimNameFaults& server = faults_;
  SimNameFaults both = found->second;
  both.silent |= server.silent;
  both.silent_ppm = std::max(both.silent_ppm, server.silent_ppm);
  both.delay_ns = std::max(both.delay_ns, server.delay_ns);
  if (both.code == 0) both.code = server.code;
  both.truncate |= server.truncate;
  both.wrong_id |= server.wrong_id;
  both.wrong_question |= server.wrong_question;
  both.garbage |= server.garbage;
  both.cut |= server.cut;
  both.no_edns |= server.no_edns;
  both.no_soa |= server.no_soa;
  both.alias_only |= server.alias_only;
  both.referral |= server.referral;
  both.zero_ttl |= server.zero_ttl;
  return both;
}

bool SimNameServer::ReadQuestion(const std::string& bytes, Question* question) {
  if (bytes.size() < kHeaderBytes + 5 || Get16(bytes, 4) != 1) return false;
  question->id = static_cast<uint16_t>(Get16(bytes, 0));
  size_t at = kHeaderBytes;
  while (at < bytes.size() && bytes[at] != 0) {
    const size_t size = static_cast<uint8_t>(bytes[at]);
    if (size > 63 || at + 1 + size >= bytes.size()) return false;
    if (!question->name.empty()) question->name += '.';
    question->name += bytes.substr(at + 1, size);
    at += 1 + size;
  }
  if (at + 5 > bytes.size()) return false;
  question->type = static_cast<uint16_t>(Get16(bytes, at + 1));
  question->wire = bytes.substr(kHeaderBytes, at + 5 - kHeaderBytes);
  question->edns = Get16(bytes, 10) == 1;
  return true;
}

void SimNameServer::OnDatagram(const core::SocketAddress& from, const std::string& bytes) {
  Question question;
  if (!ReadQuestion(bytes, &question)) return;
  int64_t delay_ns = 0;
  const std::string answer = Answer(question, false, &delay_ns);
  if (answer.empty()) return;
  world_->Schedule(delay_ns, [this, from, answer, alive = alive_] {
    if (*alive) world_->network().datagrams().SendFrom(address_, from, answer);
  });
}

std::string SimNameServer::Answer(const Question& question, bool tcp, int64_t* delay_ns) {
  ++questions_;
  ++asked_[question.name];
  if (tcp) ++tcp_questions_;
  const SimNameFaults faults = FaultsFor(question.name);
  *delay_ns = faults.delay_ns;
  if (faults.silent || world_->Chance(faults.silent_ppm)) return "";
  std::string answer = faults.garbage ? question.wire : AnswerWith(question, faults, tcp);
  if (faults.cut) answer.resize(answer.size() - (answer.size() - kHeaderBytes) / 2);
  return answer;
}

std::string SimNameServer::AnswerWith(const Question& question, const SimNameFaults& faults,
                                      bool tcp) {
  int code = faults.code;
  if (faults.no_edns && question.edns) code = 1;
  const bool truncate = faults.truncate && !tcp;
  int answers = 0;
  int authority = 0;
  std::string records;
  if (code == 0 && !truncate) records = Records(question, faults, &answers, &authority, &code);
  std::string answer;
  Put16(&answer, faults.wrong_id ? question.id ^ 1u : question.id);
  Put16(&answer, 0x8180u | (truncate ? 0x0200u : 0u) | static_cast<unsigned>(code));
  Put16(&answer, 1);
  Put16(&answer, static_cast<unsigned>(answers));
  Put16(&answer, static_cast<unsigned>(authority));
  Put16(&answer, 0);
  std::string wire = question.wire;
  if (faults.wrong_question) wire[1] ^= 1;
  return answer + wire + records;
}

std::string SimNameServer::Records(const Question& question, const SimNameFaults& faults,
                                   int* answers, int* authority, int* code) {
  const auto ttl = [&](uint32_t ttl_s) { return faults.zero_ttl ? 0 : ttl_s; };
  std::string wire;
  if (faults.referral) {
    ++*authority;
    return WireRecord(WireName("com"), kNs, ttl(kTtl), WireName("ns.example.net"));
  }
  std::string name = question.name;
  std::string owner = "\xc0\x0c";  // the name in the question
  for (int aliases = 0; aliases < 20; ++aliases) {
    const auto found = names_.find(name);
    if (found == names_.end()) break;
    const Record* alias = nullptr;
    for (const Record& record : found->second) {
      if (record.type == kCname) alias = &record;
      if (record.type != question.type) continue;
      wire += WireRecord(owner, record.type, ttl(record.ttl_s), record.data);
      ++*answers;
    }
    if (alias == nullptr) break;
    wire += WireRecord(owner, kCname, ttl(alias->ttl_s), alias->data);
    ++*answers;
    name = alias->target;
    owner = WireName(name);
    if (faults.alias_only) return wire;
  }
  const auto known = names_.find(name);
  const bool has_data = known != names_.end() &&
                        std::any_of(known->second.begin(), known->second.end(),
                                    [&](const Record& r) { return r.type == question.type; });
  if (has_data) return wire;
  if (!Exists(name)) *code = kNoSuchName;
  if (faults.no_soa) return wire;
  std::string soa = WireName("ns.invalid") + WireName("hostmaster.invalid");
  for (const uint32_t number : {1u, 7200u, 600u, 864000u, negative_ttl_s_}) Put32(&soa, number);
  ++*authority;
  return wire + WireRecord(WireName("."), kSoa, ttl(kTtl), soa);
}

}  // namespace outbox::dns
