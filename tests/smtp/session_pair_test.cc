// A client session against a server session, with nothing between them but random splits: what one
// says the other understands, and mail arrives intact.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "tests/smtp/client_run.h"
#include "tests/smtp/server_run.h"

namespace outbox::smtp {
namespace {

std::vector<TestMessage> SomeMessages(core::Random* random) {
  std::vector<TestMessage> messages(1 + random->Below(5));
  for (TestMessage& message : messages) {
    message.reverse_path = random->Chance(1, 4) ? "" : "sender@example.org";
    const uint64_t recipients = 1 + random->Below(6);
    for (uint64_t i = 0; i < recipients; ++i) {
      const char* kinds[] = {"user", "user", "user", "refused", "later"};
      message.recipients.push_back(kinds[random->Below(5)] + std::to_string(i) + "@example.com");
    }
    const uint64_t lines = random->Below(30);
    for (uint64_t i = 0; i < lines; ++i) {
      if (random->Chance(1, 5)) message.body += "..";
      message.body += std::string(random->Below(90), 'x') + "\r\n";
    }
    message.eight_bit = random->Chance(1, 4);
    if (message.eight_bit) message.body += "\xc3\xa4\r\n";
    message.body += ".\r\n";
  }
  return messages;
}

// Hands what each has to say to the other, in random pieces, until nobody has anything.
void Converse(ClientRun* client, ServerRun* server, core::Random* random) {
  std::string to_client;
  std::string to_server;
  while (true) {
    to_client += std::exchange(server->output, std::string());
    to_server += client->TakeSent();
    if (to_client.empty() && to_server.empty()) return;
    if (!to_client.empty()) {
      const size_t size = 1 + random->Below(to_client.size());
      client->Serve(to_client.substr(0, size), 1 + random->Below(40));
      to_client.erase(0, size);
    }
    if (!to_server.empty() && !server->closed) {
      const size_t size = 1 + random->Below(to_server.size());
      server->Feed(to_server.substr(0, size), 1 + random->Below(200));
      to_server.erase(0, size);
    }
  }
}

TEST(SessionPairTest, MailArrivesIntact) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::Random random(seed);
    ServerSessionOptions options;
    options.hostname = "mx.example.com";
    options.max_recipients = 3;
    options.offers_chunking = random.Chance(1, 2);
    ServerRun server(&options);
    ClientRun client;
    client.options.pipelining = random.Chance(1, 2);
    client.options.chunking = random.Chance(3, 4);
    client.messages = SomeMessages(&random);
    server.Start();
    Converse(&client, &server, &random);
    client.Quit();
    Converse(&client, &server, &random);
    EXPECT_TRUE(client.ended && server.closed);
    EXPECT_EQ(client.events.back(), "end quit");
    std::vector<std::string> expected;
    for (size_t m = 0; m < client.messages.size(); ++m) {
      bool any = false;
      for (size_t r = 0; r < client.messages[m].recipients.size(); ++r) {
        ASSERT_EQ(client.results[m][r], 1);
        const bool user = client.messages[m].recipients[r].starts_with("user");
        EXPECT_TRUE(user || !client.delivered[m][r]);
        any |= client.delivered[m][r];
      }
      if (any) expected.push_back(client.messages[m].body);
    }
    ASSERT_EQ(server.messages, expected);
  }
}

}  // namespace
}  // namespace outbox::smtp
