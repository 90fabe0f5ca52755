#include "peer/swarm/swarm.hpp"

#include <algorithm>

/// Who proves by a tracker's certificate that it is a member of the swarm (RFC 7574 §3.10.1,
/// §12.2).
namespace ppsp::peer {

/// The tracker's word for ourselves, checked as others will check it.
void Swarm::on_membership(TimePoint now, MembershipIssued const& issued)
{
    if (services_.ports.memberships == nullptr || !services_.config.pex) {
        return;
    }
    auto const own =
        services_.ports.memberships->check(issued.certificate, issued.issuer, id(), utc(now));
    if (!own) {
        return;
    }
    note_answer();
    membership_ = {issued.issuer, issued.certificate, own->endpoint};
    for (auto const& channel : channels_) {
        show_membership(*channel);
    }
}

/// Each neighbour gets ours, to show it to others.
void Swarm::show_membership(Channel& channel)
{
    if (trusts_an_issuer() && channel.is_open() &&
        channel.profile.supports(wire::MessageType::pex_res_cert)) {
        channel.control.certificates.push_back(membership_.certificate);
        touch(channel);
    }
}

bool Swarm::may_show(TimePoint now, Channel const& to, Channel const& of) const
{
    return !of.certificates.own.empty() && of.certificates.own_until > utc(now) &&
           !leads_nowhere(to, of.endpoint) && to.profile.supports(wire::MessageType::pex_res_cert);
}

/// A check costs a tenth of a millisecond: only so many are made as we asked for, and the first
/// bad one is the last of its answer (PP-12.2.2-a).
void Swarm::on_certificate(TimePoint now, Channel& channel, Bytes certificate)
{
    Certificates& shown = channel.certificates;
    if (now >= shown.refill_at) {
        shown.checks_left = std::max(shown.checks_left, 1U);
        shown.refill_at = now + pex_gap;
    }
    if (!trusts_an_issuer() || shown.checks_left == 0) {
        return;
    }
    shown.checks_left -= 1;
    auto const found =
        services_.ports.memberships->check(certificate, membership_.issuer, id(), utc(now));
    if (!found) {
        shown.checks_left = 0;
        return;
    }
    if (found->endpoint == channel.endpoint) {
        shown.own.assign(certificate.begin(), certificate.end());
        shown.own_until = found->until;
        return;
    }
    if (found->endpoint != membership_.endpoint && !leads_nowhere(channel, found->endpoint)) {
        choice_.add(now, found->endpoint, NeighbourChoice::Origin::introduced);
        next_dial_ = std::min(next_dial_, now + dial_gap);
    }
}

} // namespace ppsp::peer
