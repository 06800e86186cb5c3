// SimNameServer: a recursive name server in a simulated world, with zones by code and faults by
// knob.
//
// Answers by UDP and TCP at its address. Its encoder is its own, written from RFC 1035, so that the
// codec under test is not checked against itself. What it knows and what is wrong with it may
// change at any time; it acts on the next question.
//
//     SimNameServer server(&world, {IpAddress::V4(10, 0, 0, 53), 53});
//     server.AddMx("example.com", 10, "mx.example.com");
//     server.AddAddress("mx.example.com", IpAddress::V4(10, 0, 1, 1));
//     server.FaultsOf("slow.example").delay_ns = 3 * kNsPerSecond;
#ifndef OUTBOX_TESTS_DNS_SIM_NAME_SERVER_H_
#define OUTBOX_TESTS_DNS_SIM_NAME_SERVER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ip_address.h"
#include "io/sim_io.h"
#include "io/sim_world.h"

namespace outbox::dns {

// What is wrong with its answers. All of it can be set for the server and for single names.
struct SimNameFaults {
  bool silent = false;
  uint32_t silent_ppm = 0;  // of the questions
  int64_t delay_ns = 0;
  int code = 0;           // response code instead of an answer: 2 SERVFAIL, 5 REFUSED
  bool truncate = false;  // by UDP: TC and no records
  bool wrong_id = false;
  bool wrong_question = false;
  bool garbage = false;     // bytes that are no message
  bool cut = false;         // the second half of the answer is missing
  bool no_edns = false;     // FORMERR for a question with EDNS0
  bool no_soa = false;      // negative answers without a SOA
  bool alias_only = false;  // an alias without what it leads to
  bool referral = false;    // names of other servers instead of an answer
  bool zero_ttl = false;
  bool no_tcp = false;  // TCP connections are closed at once
};

class SimNameServer {
 public:
  SimNameServer(io::SimWorld* world, const core::SocketAddress& address);
  SimNameServer(const SimNameServer&) = delete;
  SimNameServer& operator=(const SimNameServer&) = delete;
  ~SimNameServer();

  // --- What it knows. Names in lower case, without a final dot; "." is the root. ---
  static constexpr uint32_t kTtl = 3600;
  void AddMx(const std::string& name, uint16_t preference, const std::string& host,
             uint32_t ttl_s = kTtl);
  void AddAddress(const std::string& name, const core::IpAddress& address, uint32_t ttl_s = kTtl);
  void AddAlias(const std::string& name, const std::string& target, uint32_t ttl_s = kTtl);
  // The name exists, whatever else is said about it.
  void AddName(const std::string& name) { names_[name]; }
  void Remove(const std::string& name) { names_.erase(name); }
  // The MINIMUM of its SOA records.
  void SetNegativeTtl(uint32_t ttl_s) { negative_ttl_s_ = ttl_s; }

  // --- What is wrong with it ---
  SimNameFaults& faults() { return faults_; }
  // For questions about this name; those of the server hold, too.
  SimNameFaults& FaultsOf(const std::string& name) { return faults_of_[name]; }
  void Heal();

  // Questions that came, by UDP and TCP; about one name; by TCP alone.
  uint64_t questions() const { return questions_; }
  uint64_t QuestionsAbout(const std::string& name) { return asked_[name]; }
  uint64_t tcp_questions() const { return tcp_questions_; }

 private:
  struct Record {
    uint16_t type = 0;
    uint32_t ttl_s = 0;
    std::string data;    // wire form
    std::string target;  // of an alias
  };
  struct Question {
    uint16_t id = 0;
    std::string name;
    uint16_t type = 0;
    bool edns = false;
    std::string wire;  // the question section
  };
  class Stream;  // a TCP connection

  static bool ReadQuestion(const std::string& bytes, Question* question);
  void OnDatagram(const core::SocketAddress& from, const std::string& bytes);
  void OnAccept(const io::OpResult& result);
  // The answer, and in how long; "" for none.
  std::string Answer(const Question& question, bool tcp, int64_t* delay_ns);
  std::string AnswerWith(const Question& question, const SimNameFaults& faults, bool tcp);
  std::string Records(const Question& question, const SimNameFaults& faults, int* answers,
                      int* authority, int* code);
  bool Exists(const std::string& name) const;
  SimNameFaults FaultsFor(const std::string& name);

  io::SimWorld* const world_;
  io::SimIo io_;
  const core::SocketAddress address_;
  io::Socket listener_;
  io::Op accept_;
  std::list<std::unique_ptr<Stream>> streams_;
  std::map<std::string, std::vector<Record>> names_;
  uint32_t negative_ttl_s_ = 300;
  SimNameFaults faults_;
  std::map<std::string, SimNameFaults> faults_of_;
  uint64_t questions_ = 0;
  uint64_t tcp_questions_ = 0;
  std::map<std::string, uint64_t> asked_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace outbox::dns

#endif  // OUTBOX_TESTS_DNS_SIM_NAME_SERVER_H_
