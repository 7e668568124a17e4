// Thousands of agents in one thread: each keeps a long poll open, and what it is handed it acknowledges, logs to and
// ends, as a runner does. Beside the coordinator on the same two cores it must cost next to nothing, hence epoll by
// hand and no library. Started by bench/coordinator:
//
//   agents ADDRESS[,ADDRESS...] AGENTS-FILE RESULT-FILE
//
// AGENTS-FILE: a line "token system-id" for each agent. Prints "waiting W busy B handed H ended E failed F" as often
// as it changes; ends when its input does, and then writes a line "event job nanoseconds" for each step of each job.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kMostConnecting = 128;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::string_view kLog = "section_start:1:prepare\r\x1b[0KPreparing\nRunning on host\n$ echo done\ndone\n";
constexpr std::string_view kInfo =
    R"("info":{"name":"gitlab-runner","version":"18.1.0","revision":"0731d300","platform":"linux",)"
    R"("architecture":"amd64","executor":"shell","shell":"bash","features":{"variables":true,"image":false,)"
    R"("services":false,"artifacts":true,"cache":true,"fallback_cache_keys":true,"shared":true,)"
    R"("upload_multiple_artifacts":true,"upload_raw_artifacts":true,"session":true,"terminal":true,"refspecs":true,)"
    R"("masking":true,"proxy":false,"raw_variables":true,"artifacts_exclude":true,"multi_build_steps":true,)"
    R"("trace_reset":true,"trace_checksum":true,"trace_size":true,"vault_secrets":true,"cancelable":true,)"
    R"("return_exit_code":true,"service_variables":true,"service_multiple_aliases":true,"cancel_gracefully":true,)"
    R"("native_steps_integration":false,"two_phase_job_commit":true,"job_inputs":true},"config":{"gpus":""}})";

std::int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

struct Event {
  char what; // h: handed out, a: acknowledged, r: refused, e: ended
  std::int64_t job;
  std::int64_t at;
};

enum class Step { kPoll, kRunning, kTrace, kSuccess };

struct Agent {
  std::string token;
  std::string system_id;
  std::string last_update;
  std::size_t server = 0;
  int fd = -1;
  bool connecting = false;
  bool waits = false; // a long poll is open
  Step step = Step::kPoll;
  std::int64_t job = 0;
  std::string job_token;
  std::string out;
  std::size_t sent = 0;
  std::string in;
  int tries = 0; // of the request in work
};

class Agents {
 public:
  Agents(std::vector<sockaddr_in> servers, std::vector<Agent> agents)
      : servers_(std::move(servers)), agents_(std::move(agents)), poll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      agents_[i].server = i % servers_.size();
      ready_.push_back(i);
    }
  }

  void run() {
    epoll_event input{.events = EPOLLIN, .data = {.u64 = ~0ULL}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, 0, &input);
    std::vector<epoll_event> events(512);
    std::int64_t next_report = 0;
    while (true) {
      start_some();
      int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 20);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == ~0ULL) return;
        happened(events[i].data.u64, events[i].events);
      }
      if (now() >= next_report) {
        report();
        next_report = now() + kSecond / 10;
      }
    }
  }

  void write(const char* path) const {
    std::ofstream file(path);
    for (const Event& event : log_) file << event.what << ' ' << event.job << ' ' << event.at << '\n';
  }

 private:
  void report() {
    char line[160];
    int size = std::snprintf(line, sizeof line, "waiting %d busy %d handed %ld ended %ld failed %ld\n", waiting_, busy_,
                             handed_, ended_, failed_);
    if (std::string_view(line, size) == last_line_) return;
    last_line_.assign(line, size);
    std::fputs(line, stdout);
    std::fflush(stdout);
  }

  // Connections are made a few at a time: a server's backlog is short.
  void start_some() {
    std::int64_t time = now();
    while (!later_.empty() && later_.front().first <= time) {
      ready_.push_back(later_.front().second);
      later_.pop_front();
    }
    while (!ready_.empty() && connecting_ < kMostConnecting) {
      std::size_t which = ready_.front();
      ready_.pop_front();
      connect_to(which);
    }
  }

  void connect_to(std::size_t which) {
    Agent& agent = agents_[which];
    agent.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(agent.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const sockaddr_in& address = servers_[agent.server];
    agent.connecting = true;
    ++connecting_;
    int made = connect(agent.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (made < 0 && errno != EINPROGRESS) return lost(which);
    epoll_event wish{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = which}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, agent.fd, &wish);
  }

  void happened(std::size_t which, std::uint32_t what) {
    Agent& agent = agents_[which];
    if (agent.fd < 0) return;
    if (agent.connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(agent.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return lost(which);
      if ((what & EPOLLOUT) == 0) return;
      agent.connecting = false;
      --connecting_;
      request(which);
      return;
    }
    if ((what & EPOLLOUT) != 0 && agent.sent < agent.out.size()) send_rest(which);
    if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(which);
  }

  void request(std::size_t which) {
    Agent& agent = agents_[which];
    std::string body, head, more;
    std::string path = "/api/v4/jobs/" + std::to_string(agent.job);
    switch (agent.step) {
      case Step::kPoll:
        head = "POST /api/v4/jobs/request";
        body =
            "{" + std::string(kInfo) + ",\"token\":\"" + agent.token + "\",\"system_id\":\"" + agent.system_id + "\"";
        if (!agent.last_update.empty()) body += ",\"last_update\":\"" + agent.last_update + "\"";
        body += "}";
        if (!agent.last_update.empty()) set_waiting(agent, true);
        break;
      case Step::kRunning:
      case Step::kSuccess:
        head = "PUT " + path;
        body = "{" + std::string(kInfo) + ",\"token\":\"" + agent.job_token + "\",\"state\":\"" +
               (agent.step == Step::kRunning ? "running\",\"output\":{}}"
                                             : "success\",\"checksum\":\"\",\"output\":{\"checksum\":\"crc32:0\","
                                               "\"bytesize\":" +
                                                   std::to_string(kLog.size()) + "},\"exit_code\":0}");
        break;
      case Step::kTrace:
        head = "PATCH " + path + "/trace?debug_trace=false";
        body = kLog;
        more = "JOB-TOKEN: " + agent.job_token + "\r\nContent-Range: 0-" + std::to_string(kLog.size() - 1) + "\r\n";
        break;
    }
    agent.out = head + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gitlab-runner 18.1.0 (bench)\r\nContent-Type: " +
                (agent.step == Step::kTrace ? "text/plain" : "application/json") + "\r\nAccept: application/json\r\n" +
                more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    agent.sent = 0;
    agent.in.clear();
    send_rest(which);
  }

  void send_rest(std::size_t which) {
    Agent& agent = agents_[which];
    while (agent.sent < agent.out.size()) {
      ssize_t put = send(agent.fd, agent.out.data() + agent.sent, agent.out.size() - agent.sent, MSG_NOSIGNAL);
      if (put < 0 && errno == EAGAIN) return;
      if (put < 0) return lost(which);
      agent.sent += static_cast<std::size_t>(put);
    }
    agent.out = std::string();
    agent.sent = 0;
  }

  void receive(std::size_t which) {
    Agent& agent = agents_[which];
    char buffer[16384];
    while (true) {
      ssize_t got = recv(agent.fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return lost(which);
      agent.in.append(buffer, static_cast<std::size_t>(got));
      std::size_t head = agent.in.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      std::string_view text = agent.in;
      std::string_view fields = text.substr(0, head + 2);
      std::size_t length = number(field(fields, "Content-Length"));
      if (text.size() < head + 4 + length) continue;
      int status = static_cast<int>(number(fields.substr(9, 3)));
      std::string update(field(fields, "X-GitLab-Last-Update"));
      // The answer to an earlier try of the same was lost: what it asked for has been done.
      bool done_before = agent.tries > 0 && agent.step == Step::kSuccess && field(fields, "Job-Status") == "success";
      if (done_before && status == 403) status = 200;
      bool closes = field(fields, "Connection") == "close";
      std::string body(text.substr(head + 4, length));
      agent.in = std::string();
      answered(which, status, update, body);
      if (closes || agent.fd < 0) {
        if (agent.fd >= 0) drop(which);
        ready_.push_back(which);
        return;
      }
      request(which);
      if (agent.fd < 0) return;
    }
  }

  void answered(std::size_t which, int status, const std::string& update, const std::string& body) {
    Agent& agent = agents_[which];
    set_waiting(agent, false);
    if (agent.step == Step::kPoll) {
      if (status == 204) {
        agent.last_update = update;
      } else if (status == 201) {
        agent.tries = 0;
        agent.job = static_cast<std::int64_t>(number(after(body, "\"id\":")));
        std::string_view token = after(body, "\"token\":\"");
        agent.job_token = token.substr(0, token.find('"'));
        agent.step = Step::kRunning;
        ++handed_;
        ++busy_;
        note('h', agent.job);
      } else {
        complain(status, body);
      }
      return;
    }
    if (status != 200 && status != 202) {
      complain(status, body);
      note('r', agent.job);
      agent.step = Step::kSuccess;
    } else if (agent.step == Step::kRunning) {
      note('a', agent.job);
    } else if (agent.step == Step::kSuccess) {
      ++ended_;
      note('e', agent.job);
    }
    agent.tries = 0;
    if (agent.step == Step::kSuccess) {
      agent.step = Step::kPoll;
      --busy_;
    } else {
      agent.step = agent.step == Step::kRunning ? Step::kTrace : Step::kSuccess;
    }
  }

  void complain(int status, const std::string& body) {
    if (++failed_ <= 20) std::fprintf(stderr, "agent: %d %s\n", status, body.substr(0, 200).c_str());
  }

  // The server is gone: the next one of the list; a job's request is tried again there, as a runner does.
  void lost(std::size_t which) {
    Agent& agent = agents_[which];
    set_waiting(agent, false);
    drop(which);
    agent.server = (agent.server + 1) % servers_.size();
    if (agent.step == Step::kPoll) {
      agent.last_update.clear();
    } else if (++agent.tries > 20) {
      ++failed_;
      note('r', agent.job);
      agent.step = Step::kPoll;
      agent.tries = 0;
      --busy_;
    }
    later_.emplace_back(now() + kSecond / 5, which);
  }

  void drop(std::size_t which) {
    Agent& agent = agents_[which];
    if (agent.connecting) --connecting_;
    agent.connecting = false;
    if (agent.fd >= 0) close(agent.fd);
    agent.fd = -1;
    agent.in = std::string();
    agent.out = std::string();
    agent.sent = 0;
  }

  void set_waiting(Agent& agent, bool value) {
    if (agent.waits != value) waiting_ += value ? 1 : -1;
    agent.waits = value;
  }
  void note(char what, std::int64_t job) { log_.push_back({.what = what, .job = job, .at = now()}); }

  static std::string_view after(std::string_view text, std::string_view mark) {
    std::size_t at = text.find(mark);
    return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
  }
  static std::string_view field(std::string_view fields, std::string_view name) {
    std::string_view value = after(fields, "\r\n" + std::string(name) + ": ");
    return value.substr(0, value.find('\r'));
  }
  static std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  std::vector<sockaddr_in> servers_;
  std::vector<Agent> agents_;
  int poll_;
  std::deque<std::size_t> ready_;                          // to connect
  std::deque<std::pair<std::int64_t, std::size_t>> later_; // to connect, then
  int connecting_ = 0;
  int waiting_ = 0;
  int busy_ = 0;
  long handed_ = 0;
  long ended_ = 0;
  long failed_ = 0;
  std::string last_line_;
  std::vector<Event> log_;
};

std::vector<sockaddr_in> parse_servers(std::string_view list) {
  std::vector<sockaddr_in> servers;
  while (!list.empty()) {
    std::string one(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    std::size_t colon = one.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(one.c_str() + colon + 1)));
    inet_pton(AF_INET, one.substr(0, colon).c_str(), &address.sin_addr);
    servers.push_back(address);
  }
  return servers;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: agents ADDRESS[,ADDRESS...] AGENTS-FILE RESULT-FILE\n"), 2;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<Agent> list;
  std::ifstream file(argv[2]);
  for (Agent agent; file >> agent.token >> agent.system_id;) list.push_back(agent);
  if (list.size() + 50 > files.rlim_cur) return std::fprintf(stderr, "agents: the limit of open files is too low\n"), 1;
  Agents agents(parse_servers(argv[1]), std::move(list));
  agents.run();
  agents.write(argv[3]);
}
