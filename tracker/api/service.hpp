#pragma once

#include "protocol/base/rng.hpp"
#include "protocol/integrity/private_key.hpp"
#include "protocol/ppstp/messages.hpp"
#include "tracker/api/allow_list.hpp"
#include "tracker/registry/rate_limit.hpp"
#include "tracker/registry/registry.hpp"
#include "tracker/registry/replay_cache.hpp"

#include <array>

namespace ppsp::tracker {

/// An answer to a PPSTP request.
struct Answer {
    ppstp::ErrorCode error = ppstp::ErrorCode::none;
    std::string body; ///< JSON
};

inline constexpr std::size_t error_code_count = 7;
inline constexpr std::size_t request_type_count = 4; ///< CONNECT, FIND, STAT_REPORT, unreadable

struct ServiceCounters {
    std::array<std::array<std::uint64_t, error_code_count>, request_type_count> requests{};
    std::uint64_t replays = 0;
    std::uint64_t rate_limited = 0;
};

/// PPSTP requests in, responses out (RFC 7846 §4), over the registry. Pure: time and chance are
/// handed in.
class Service {
public:
    /// Without an allow-list anybody may open a swarm.
    Service(Limits const& limits, std::optional<AllowList> allow_list, Rng rng);
    Service(Service const&) = delete;
    Service& operator=(Service const&) = delete;

    [[nodiscard]] Answer handle(TimePoint now, std::string_view body, Endpoint const& source);
    void expire(TimePoint now) { registry_.expire(now); }
    /// Gives members a certificate of `key` (RFC 7574 §12.2.2); `utc_at_zero` is UTC at
    /// TimePoint{}.
    void issue_memberships(integrity::PrivateKey key, UnixMicros utc_at_zero)
    {
        issuer_ = Issuer{std::move(key), utc_at_zero};
    }

    [[nodiscard]] Registry const& registry() const { return registry_; }
    [[nodiscard]] ServiceCounters const& counters() const { return counters_; }
    [[nodiscard]] ReplayCache const& replays() const { return replays_; }

private:
    /// Who asks, after the checks that all requests share.
    struct Caller {
        TimePoint now;
        Endpoint source;
        PeerIndex peer = no_peer;
    };

    [[nodiscard]] ppstp::Response dispatch(Caller caller, ppstp::Request const& request);
    [[nodiscard]] ppstp::Response answer(Caller const& caller, std::string const& peer_id,
                                         ppstp::Connect const& connect);
    [[nodiscard]] ppstp::Response answer(Caller const& caller, ppstp::Find const& find);
    [[nodiscard]] ppstp::Response answer(Caller const& caller, ppstp::StatReport const& report);

    [[nodiscard]] std::vector<ppstp::SwarmAction>
    allowed_by_list(std::vector<ppstp::SwarmAction> const& actions) const;
    [[nodiscard]] ppstp::SwarmResult joined(Caller const& caller, ppstp::SwarmAction const& action,
                                            std::optional<ppstp::PeerNumber> const& wish);
    void add_peers(Caller const& caller, ppstp::SwarmResult& result,
                   std::optional<ppstp::PeerNumber> const& wish);
    void add_live(TimePoint now, ppstp::SwarmResult& result) const;
    void add_membership(Caller const& caller, ppstp::SwarmResult& result) const;
    void add_proven(std::vector<ppstp::Neighbours> const& asked, ppstp::SwarmResult& result) const;
    void take_report(Caller const& caller, ppstp::StatReport const& report);
    [[nodiscard]] bool is_over_rate(TimePoint now, Endpoint const& source, PeerIndex peer);

    struct Issuer {
        integrity::PrivateKey key;
        UnixMicros utc_at_zero;
    };

    Limits limits_;
    std::optional<AllowList> allow_list_;
    std::optional<Issuer> issuer_;
    Rng rng_;
    Registry registry_;
    ReplayCache replays_;
    AddressRateLimit address_rate_;
    ServiceCounters counters_;
};

} // namespace ppsp::tracker
