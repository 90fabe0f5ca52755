#include "tests/sim/bounds.hpp"

#include "tests/sim/access_link.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

namespace ppsp::sim {

double wire_factor(double overhead_allowance, std::uint32_t chunk_size)
{
    return 1.0 + overhead_allowance + static_cast<double>(ip_udp_bytes) / chunk_size;
}

double fluid_bound(double source, std::span<double const> uplinks)
{
    double const sum = std::accumulate(uplinks.begin(), uplinks.end(), 0.0);
    return uplinks.empty() ? source
                           : std::min(source, (source + sum) / static_cast<double>(uplinks.size()));
}

double offload_bound(std::span<double const> uplinks)
{
    if (uplinks.empty()) {
        return 0;
    }
    auto const peers = static_cast<double>(uplinks.size());
    double const sum = std::accumulate(uplinks.begin(), uplinks.end(), 0.0);
    return std::min(1.0 - 1.0 / peers, sum / peers);
}

double delay_bound_units(std::size_t peers)
{
    return std::ceil(std::log2(static_cast<double>(std::max<std::size_t>(peers, 1)))) + 1;
}

Distribution snowball(double source, std::span<double const> uplinks, double delay_units)
{
    std::vector<double> lacking(uplinks.begin(), uplinks.end());
    std::sort(lacking.begin(), lacking.end(), std::greater<>{});
    struct Sender {
        double free_at;
        double uplink;
        double copies_left;
        bool operator>(Sender const& other) const { return free_at > other.free_at; }
    };
    std::priority_queue<Sender, std::vector<Sender>, std::greater<>> senders;
    senders.push({1.0 / source, source, source});
    Distribution delays;
    double carry = 0; // fractions of copies add up over units
    for (double const uplink : lacking) {
        if (senders.empty()) {
            delays.add_missing(1);
            continue;
        }
        Sender sender = senders.top();
        senders.pop();
        double const arrival = sender.free_at + delay_units;
        delays.add(arrival);
        sender.free_at += 1.0 / sender.uplink;
        sender.copies_left -= 1;
        if (sender.copies_left >= 1) {
            senders.push(sender);
        } else {
            carry += std::max(sender.copies_left, 0.0);
        }
        if (uplink > 0) {
            double copies = uplink;
            if (copies < 1 && carry >= 1 - copies) {
                carry -= 1 - copies;
                copies = 1;
            }
            if (copies >= 1) {
                senders.push({arrival + 1.0 / uplink, uplink, copies});
            } else {
                carry += copies;
            }
        }
    }
    return delays;
}

} // namespace ppsp::sim
