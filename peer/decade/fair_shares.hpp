#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ppsp::peer {

/// Who may send how much when: a limit for all together, shared by accounts in proportion to their
/// weights, and a limit for each account (RFC 7069 §6.2). Start-time fair queueing (Goyal, Vin,
/// Cheng 1996) between accounts, first come first served within one; an account that has nothing to
/// send leaves its share to the others and saves nothing up.
class FairShares {
public:
    using Ticket = std::uint64_t;

    /// What may leave at once after a pause.
    static constexpr Duration burst = std::chrono::milliseconds{50};
    /// The same for slow limits: less than that would not fill a packet train.
    static constexpr std::int64_t burst_bytes_min = 64 * 1024;

    /// Accounts that neither wait nor owe anything are forgotten above this; they lose nothing.
    static constexpr std::size_t idle_accounts_max = 4096;

    /// `total_bps` is the limit for all together, nullopt = none.
    explicit FairShares(std::optional<std::uint64_t> total_bps) : total_(total_bps) {}

    struct Account {
        std::string id;
        std::uint32_t weight = 1; ///< at least 1
        std::optional<std::uint64_t> rate_bps;
    };

    /// Whether anything limits this account at all; if not, do not ask.
    [[nodiscard]] bool limits(Account const& account) const
    {
        return total_.rate_bps.has_value() || account.rate_bps.has_value();
    }

    /// Whether the bytes may be sent at once, and then they count. Otherwise the ticket, which is
    /// the caller's to choose and unique, waits for `grant`.
    [[nodiscard]] bool ask(TimePoint now, Account const& account, std::uint64_t bytes,
                           Ticket ticket);
    /// Tickets whose bytes may be sent; they count from then on.
    [[nodiscard]] std::vector<Ticket> grant(TimePoint now);
    /// When `grant` will have something; nullopt while nobody waits.
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    /// A waiting ticket that nobody wants any more.
    void cancel(Ticket ticket);
    [[nodiscard]] std::size_t waiting() const { return waiting_; }
    [[nodiscard]] std::size_t account_count() const { return flows_.size(); }

private:
    /// A rate that lets a burst through and then pays it back: what was let through may exceed the
    /// credit once.
    struct Bucket {
        Bucket() = default;
        explicit Bucket(std::optional<std::uint64_t> rate);
        void refill(TimePoint now);
        [[nodiscard]] bool is_open() const { return !rate_bps || credit_bytes > 0; }
        void take(std::uint64_t bytes);
        /// When it opens, given nothing else is taken.
        [[nodiscard]] TimePoint opens_at() const;

        std::optional<std::uint64_t> rate_bps;
        std::int64_t burst_bytes = 0;
        std::int64_t credit_bytes = 0;
        TimePoint refilled_at{};
        bool is_fresh = true;
    };

    struct Wish {
        Ticket ticket = 0;
        std::uint64_t bytes = 0;
        double start = 0; ///< virtual time
    };

    struct Flow {
        Bucket bucket;
        std::uint32_t weight = 1;
        double finish = 0; ///< virtual time at which its last wish ends
        std::deque<Wish> wishes;
    };

    [[nodiscard]] Flow& flow_of(TimePoint now, Account const& account);
    [[nodiscard]] Flow* next_flow();
    void charge(Flow& flow, Wish const& wish);
    void forget_idle_flows(TimePoint now);

    Bucket total_;
    std::map<std::string, Flow> flows_;
    double virtual_time_ = 0;
    std::size_t waiting_ = 0;
};

} // namespace ppsp::peer
