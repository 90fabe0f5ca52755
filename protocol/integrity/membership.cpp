#include "protocol/integrity/membership.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/integrity/swarm_key.hpp"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace ppsp::integrity {
namespace {

using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>>;

constexpr std::string_view scheme = "file://";
constexpr char const* issuer_name = "PPSP tracker";
constexpr std::int64_t micros_per_second = 1'000'000;
constexpr std::size_t serial_bytes = 8;

void add_name(X509& certificate, std::string const& url)
{
    NamesPtr const names(GENERAL_NAMES_new());
    GENERAL_NAME* const name = GENERAL_NAME_new();
    ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
    PPSP_ASSERT(names && name != nullptr && text != nullptr);
    PPSP_ASSERT(ASN1_STRING_set(text, url.data(), static_cast<int>(url.size())) == 1);
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    PPSP_ASSERT(sk_GENERAL_NAME_push(names.get(), name) > 0);
    PPSP_ASSERT(X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 1, 0) == 1);
}

/// A number of its own (RFC 5280 §4.1.2.2) for what the certificate says: no chance is needed.
void add_serial(X509& certificate, std::string const& url, std::int64_t from)
{
    std::string const text = url + " " + std::to_string(from);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> bytes{};
    PPSP_ASSERT(EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), bytes.data(),
                             nullptr) == 1);
    std::uint64_t serial = 0;
    for (std::size_t i = 0; i < serial_bytes; ++i) {
        serial = serial << 8 | bytes[i];
    }
    PPSP_ASSERT(ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1 | 1) == 1);
}

std::optional<UnixMicros> to_micros(ASN1_TIME const* time)
{
    TimePtr const epoch(ASN1_TIME_set(nullptr, 0));
    int days = 0;
    int seconds = 0;
    if (time == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
        return std::nullopt;
    }
    return (std::int64_t{days} * 86'400 + seconds) * micros_per_second;
}

/// The only alternative name, which has to be critical.
std::optional<std::string> url_of(X509 const& certificate)
{
    int critical = 0;
    NamesPtr const names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, &critical, nullptr)));
    if (!names || critical != 1 || sk_GENERAL_NAME_num(names.get()) != 1) {
        return std::nullopt;
    }
    int type = 0;
    auto const* const text = static_cast<ASN1_IA5STRING const*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), 0), &type));
    if (type != GEN_URI) {
        return std::nullopt;
    }
    auto const* const first = reinterpret_cast<char const*>(ASN1_STRING_get0_data(text));
    return std::string(first, static_cast<std::size_t>(ASN1_STRING_length(text)));
}

struct Named {
    Endpoint endpoint;
    ByteVector swarm_id;
};

/// `file://192.0.2.0:6778/e5a12c...`; host and port as addresses, the id as bytes (trap T28).
std::optional<Named> to_named(std::string_view url)
{
    if (!url.starts_with(scheme)) {
        return std::nullopt;
    }
    url.remove_prefix(scheme.size());
    auto const slash = url.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    auto const endpoint = Endpoint::parse(url.substr(0, slash));
    auto id = from_hex(url.substr(slash + 1));
    if (!endpoint || !id || endpoint->port() == 0) {
        return std::nullopt;
    }
    return Named{*endpoint, *std::move(id)};
}

CertificatePtr to_certificate(Bytes der)
{
    if (der.size() > membership_size_max) {
        return nullptr;
    }
    std::uint8_t const* position = der.data();
    CertificatePtr certificate(d2i_X509(nullptr, &position, static_cast<long>(der.size())));
    if (!certificate || position != der.data() + der.size()) {
        return nullptr;
    }
    // RFC 5280 §4.2: a critical extension that nobody here knows.
    bool const is_odd =
        (X509_get_extension_flags(certificate.get()) & (EXFLAG_CRITICAL | EXFLAG_INVALID)) != 0;
    return is_odd || X509_get_version(certificate.get()) != X509_VERSION_3 ? nullptr
                                                                           : std::move(certificate);
}

} // namespace

Result<Membership, MembershipError> OpensslMembershipChecker::check(Bytes bytes, Bytes issuer,
                                                                    Bytes swarm_id, UnixMicros now)
{
    ErrorScope const errors;
    CertificatePtr const certificate = to_certificate(bytes);
    if (!certificate) {
        return failure(MembershipError::malformed);
    }
    auto const url = url_of(*certificate);
    auto const named = url ? to_named(*url) : std::nullopt;
    auto const from = to_micros(X509_get0_notBefore(certificate.get()));
    auto const until = to_micros(X509_get0_notAfter(certificate.get()));
    if (!named || !from || !until) {
        return failure(MembershipError::malformed);
    }
    if (!std::ranges::equal(named->swarm_id, swarm_id)) {
        return failure(MembershipError::other_swarm);
    }
    UnixMicros const slack = membership_clock_slack.count();
    if (now < *from - slack || now > *until + slack) {
        return failure(MembershipError::expired);
    }
    PkeyPtr const key = to_public_key(issuer);
    if (!key || X509_verify(certificate.get(), key.get()) != 1) {
        return failure(MembershipError::forged);
    }
    return Membership{named->endpoint, *from, *until};
}

ByteVector issue_membership(PrivateKey const& issuer, Endpoint const& endpoint, Bytes swarm_id,
                            UnixMicros now, Duration lifetime)
{
    CertificatePtr const certificate(X509_new());
    X509* const raw = certificate.get();
    PPSP_ASSERT(raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1);
    auto const* const name = reinterpret_cast<unsigned char const*>(issuer_name);
    PPSP_ASSERT(X509_NAME_add_entry_by_txt(X509_get_issuer_name(raw), "CN", MBSTRING_UTF8, name, -1,
                                           -1, 0) == 1);
    std::int64_t const from = now / micros_per_second;
    std::int64_t const until =
        from + std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
    PPSP_ASSERT(ASN1_TIME_set(X509_getm_notBefore(raw), from) != nullptr);
    PPSP_ASSERT(ASN1_TIME_set(X509_getm_notAfter(raw), until) != nullptr);
    PPSP_ASSERT(X509_set_pubkey(raw, issuer.handle()) == 1);
    std::string const url = std::string(scheme) + endpoint.text() + "/" + to_hex(swarm_id);
    add_serial(*raw, url, from);
    add_name(*raw, url);
    PPSP_ASSERT(X509_sign(raw, issuer.handle(), digest_of(issuer.algorithm())) > 0);
    ByteVector der(static_cast<std::size_t>(i2d_X509(raw, nullptr)));
    std::uint8_t* position = der.data();
    PPSP_ASSERT(i2d_X509(raw, &position) == static_cast<int>(der.size()));
    return der;
}

} // namespace ppsp::integrity
