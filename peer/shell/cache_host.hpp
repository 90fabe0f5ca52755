#pragma once

#include "peer/decade/cache.hpp"
#include "protocol/net/asio.hpp"

#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <list>
#include <map>

namespace ppsp::peer {

struct CacheServerCounters {
    std::uint64_t connections = 0; ///< accepted
    std::uint64_t displaced = 0;   ///< idle ones that were closed for others
    std::uint64_t timed_out = 0;
    std::uint64_t bad_requests = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

/// How long a client may take.
struct CacheTimeouts {
    std::chrono::milliseconds idle{60'000};
    /// From the first byte of a request's head to its last: what a slow loris has.
    std::chrono::milliseconds head{10'000};
    /// For a body, beside `body_bytes_per_s_min`; and for each piece of an answer.
    std::chrono::milliseconds body{15'000};
    std::uint64_t body_bytes_per_s_min = 32 * 1024;
};

/// What the connections of one cache share. One thread; `disk()` runs jobs beside it.
class CacheHost {
public:
    /// Threads that hash, check signatures and wait for the disk.
    static constexpr std::size_t disk_threads = 2;

    CacheHost(net::io_context& context, Cache cache_state, std::optional<std::uint64_t> total_bps,
              CacheTimeouts timeouts, std::size_t connections_max);

    [[nodiscard]] Cache& cache() { return cache_; }
    [[nodiscard]] net::io_context& context() { return context_; }
    [[nodiscard]] boost::asio::thread_pool& disk() { return disk_; }
    [[nodiscard]] CacheServerCounters& counters() { return counters_; }
    [[nodiscard]] CacheTimeouts const& timeouts() const { return timeouts_; }
    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }
    /// Whole seconds since 1970; read once per call of `tick` and cheap.
    [[nodiscard]] UnixSeconds now_s();
    [[nodiscard]] std::string const& date();
    [[nodiscard]] std::string metrics();

    /// A connection that is open. While it is idle it may be closed for another one.
    class Connection {
    public:
        Connection(CacheHost& host, std::function<void()> close);
        ~Connection();
        Connection(Connection const&) = delete;
        Connection& operator=(Connection const&) = delete;

        /// Closes itself unless it gets further within this time.
        void allow(std::chrono::milliseconds time);
        void set_idle(bool is_idle);

    private:
        friend class CacheHost;
        CacheHost& host_;
        std::function<void()> close_;
        std::chrono::steady_clock::time_point deadline_;
        bool is_idle_ = false;
        std::list<Connection*>::iterator place_;
    };

    /// Makes room for one more connection: false if all are busy.
    [[nodiscard]] bool make_room();
    void close_all();
    /// Closes who took too long; a few times a second.
    void sweep();

    /// Returns when this many bytes of the account may be sent.
    [[nodiscard]] net::awaitable<void> await_turn(TokenAccount const* account, std::uint64_t bytes);
    /// Whether `await_turn` would ever wait.
    [[nodiscard]] bool is_limited(TokenAccount const* account) const;

    /// Runs a job beside the loop.
    template <typename T>
    [[nodiscard]] net::awaitable<T> on_disk(std::function<T()> job)
    {
        co_return co_await net::co_spawn(disk_, run(std::move(job)), net::use_awaitable);
    }

private:
    template <typename T>
    static net::awaitable<T> run(std::function<T()> job)
    {
        co_return job();
    }

    void grant();
    void schedule_grant();

    net::io_context& context_;
    Cache cache_;
    FairShares shares_;
    net::steady_timer grant_timer_;
    std::map<FairShares::Ticket, net::steady_timer*> turns_;
    FairShares::Ticket next_ticket_ = 0;
    CacheTimeouts timeouts_;
    std::size_t connections_max_;
    /// Who became idle last is at the end.
    std::list<Connection*> connections_;
    CacheServerCounters counters_;
    UnixSeconds date_second_ = -1;
    std::string date_;
    boost::asio::thread_pool disk_;
};

} // namespace ppsp::peer
