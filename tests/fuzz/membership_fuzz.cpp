#include "protocol/base/assert.hpp"
#include "protocol/integrity/membership.hpp"
#include "tests/fuzz/input.hpp"

#include <chrono>

/// Certificates of members, as any peer may send them (RFC 7574 §8.13): only what the issuer signed
/// is believed, and only in its time and for its swarm.
namespace ppsp::fuzz {
namespace {

using namespace integrity;

constexpr UnixMicros issued_at = 1'790'000'000'000'000;
constexpr Duration lifetime = std::chrono::hours{1};
constexpr std::size_t edits_max = 16;
/// Signs the same with the same bytes each time, so that inputs can be replayed.
constexpr std::string_view key_text =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIOopTQ/TNjINBpjp0G5M0BxDv0QKnILizLIg39v0AN2J\n"
    "-----END PRIVATE KEY-----\n";

struct Genuine {
    PrivateKey key = *PrivateKey::from_pem(key_text);
    ByteVector issuer = key.swarm_id();
    ByteVector swarm = ByteVector(65, 0x11);
    Endpoint endpoint = Endpoint::v4(0xc0000205, 6778);
    ByteVector certificate = issue_membership(key, endpoint, swarm, issued_at, lifetime);
    OpensslMembershipChecker checker;
};

void expect_what_was_issued(Genuine const& genuine,
                            Result<Membership, MembershipError> const& found)
{
    if (found) {
        PPSP_ASSERT(found->endpoint == genuine.endpoint);
        PPSP_ASSERT(found->from == issued_at && found->until == issued_at + lifetime.count());
    }
}

void read_anything(Genuine& genuine, Input& input)
{
    expect_what_was_issued(
        genuine, genuine.checker.check(input.rest(), genuine.issuer, genuine.swarm, issued_at));
}

/// The genuine one with some bytes changed, put in or taken out.
void read_edited(Genuine& genuine, Input& input)
{
    ByteVector certificate = genuine.certificate;
    std::size_t const edits = input.below(edits_max) + 1;
    for (std::size_t i = 0; i < edits && !certificate.empty(); ++i) {
        auto const kind = input.below(3);
        auto const place = certificate.begin() + input.u16() % certificate.size();
        if (kind == 0) {
            *place = input.u8();
        } else if (kind == 1) {
            certificate.insert(place, input.u8());
        } else {
            certificate.erase(place);
        }
    }
    expect_what_was_issued(
        genuine, genuine.checker.check(certificate, genuine.issuer, genuine.swarm, issued_at));
}

/// Any key of any algorithm is said to have signed it.
void believe_another_issuer(Genuine& genuine, Input& input)
{
    Bytes const issuer = input.rest();
    auto const found = genuine.checker.check(genuine.certificate, issuer, genuine.swarm, issued_at);
    PPSP_ASSERT(found.has_value() == std::ranges::equal(issuer, genuine.issuer));
}

void ask_elsewhere_and_another_time(Genuine& genuine, Input& input)
{
    auto const now = static_cast<UnixMicros>(input.u64() >> 1);
    ByteVector swarm = genuine.swarm;
    if (input.flag()) {
        Bytes const other = input.rest();
        swarm.assign(other.begin(), other.end());
    }
    auto const found = genuine.checker.check(genuine.certificate, genuine.issuer, swarm, now);
    auto const slack = membership_clock_slack.count();
    bool const is_time = now >= issued_at - slack && now <= issued_at + lifetime.count() + slack;
    PPSP_ASSERT(found.has_value() == (is_time && swarm == genuine.swarm));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    static Genuine genuine;
    constexpr void (*uses[])(Genuine&, Input&) = {
        read_anything, read_edited, believe_another_issuer, ask_elsewhere_and_another_time};
    Input input(data, size);
    auto* const use = input.one_of(uses);
    use(genuine, input);
    return 0;
}

} // namespace ppsp::fuzz
