#include "protocol/integrity/membership.hpp"

#include "protocol/integrity/openssl_ptr.hpp"

#include <gtest/gtest.h>

#include <openssl/x509v3.h>

#include <algorithm>

namespace ppsp::integrity {
namespace {

using namespace std::chrono_literals;

constexpr UnixMicros issued_at = 1'790'000'000'000'000;
constexpr Duration lifetime = 1h;

class MembershipCertificate : public ::testing::Test {
protected:
    ByteVector issue(Endpoint const& endpoint) const
    {
        return issue_membership(key_, endpoint, swarm_, issued_at, lifetime);
    }
    Result<Membership, MembershipError> check(Bytes certificate, UnixMicros now = issued_at)
    {
        return checker_.check(certificate, key_.swarm_id(), swarm_, now);
    }
    MembershipError error(Bytes certificate, UnixMicros now = issued_at)
    {
        auto const result = check(certificate, now);
        EXPECT_FALSE(result.has_value());
        return result ? MembershipError{99} : result.error();
    }

    PrivateKey key_ = PrivateKey::generate().value();
    ByteVector swarm_ = PrivateKey::generate()->swarm_id();
    Endpoint endpoint_ = Endpoint::parse("192.0.2.0:6778").value();
    OpensslMembershipChecker checker_;
};

TEST_F(MembershipCertificate, PP_8_13_b_says_where_a_member_of_the_swarm_is_and_how_long)
{
    for (char const* const text : {"192.0.2.0:6778", "[2001:db8::5]:65535"}) {
        Endpoint const endpoint = Endpoint::parse(text).value();
        auto const found = check(issue(endpoint));
        ASSERT_TRUE(found.has_value()) << text;
        EXPECT_EQ(found->endpoint, endpoint);
        EXPECT_EQ(found->from, issued_at);
        EXPECT_EQ(found->until, issued_at + Duration{lifetime}.count());
    }
}

TEST_F(MembershipCertificate, PP_8_13_b_is_an_x509v3_certificate_with_one_critical_name)
{
    ByteVector const der = issue(endpoint_);
    EXPECT_LE(der.size(), 470u);
    std::uint8_t const* position = der.data();
    std::unique_ptr<X509, OpensslFree<X509_free>> const certificate(
        d2i_X509(nullptr, &position, static_cast<long>(der.size())));
    ASSERT_TRUE(certificate);
    EXPECT_EQ(X509_get_version(certificate.get()), X509_VERSION_3);
    ASSERT_EQ(X509_get_ext_count(certificate.get()), 1);
    X509_EXTENSION* const extension = X509_get_ext(certificate.get(), 0);
    EXPECT_EQ(X509_EXTENSION_get_critical(extension), 1);
    EXPECT_EQ(OBJ_obj2nid(X509_EXTENSION_get_object(extension)), NID_subject_alt_name);
    EXPECT_EQ(ASN1_STRING_type(X509_get0_notBefore(certificate.get())), V_ASN1_UTCTIME);
    EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(certificate.get())), V_ASN1_UTCTIME);
    std::string const url = "file://192.0.2.0:6778/" + to_hex(swarm_);
    EXPECT_NE(std::search(der.begin(), der.end(), url.begin(), url.end()), der.end());
}

TEST_F(MembershipCertificate, of_all_kinds_of_keys_is_believed)
{
    for (auto const algorithm :
         {wire::SignatureAlgorithm::ecdsa_p384_sha384, wire::SignatureAlgorithm::ed25519}) {
        key_ = PrivateKey::generate(algorithm).value();
        EXPECT_TRUE(check(issue(endpoint_)).has_value());
    }
}

TEST_F(MembershipCertificate, is_believed_from_its_issue_to_its_end_and_a_little_clock_error)
{
    ByteVector const certificate = issue(endpoint_);
    UnixMicros const slack = membership_clock_slack.count();
    UnixMicros const end = issued_at + Duration{lifetime}.count();
    EXPECT_TRUE(check(certificate, issued_at - slack).has_value());
    EXPECT_TRUE(check(certificate, end + slack).has_value());
    EXPECT_EQ(error(certificate, issued_at - slack - 1), MembershipError::expired);
    EXPECT_EQ(error(certificate, end + slack + 1), MembershipError::expired);
}

TEST_F(MembershipCertificate, of_another_issuer_or_swarm_is_not_believed)
{
    ByteVector const certificate = issue(endpoint_);
    ByteVector const other = PrivateKey::generate()->swarm_id();
    auto const foreign = checker_.check(certificate, other, swarm_, issued_at);
    ASSERT_FALSE(foreign.has_value());
    EXPECT_EQ(foreign.error(), MembershipError::forged);
    auto const elsewhere = checker_.check(certificate, key_.swarm_id(), other, issued_at);
    ASSERT_FALSE(elsewhere.has_value());
    EXPECT_EQ(elsewhere.error(), MembershipError::other_swarm);
    auto const without_issuer = checker_.check(certificate, {}, swarm_, issued_at);
    ASSERT_FALSE(without_issuer.has_value());
    EXPECT_EQ(without_issuer.error(), MembershipError::forged);
}

/// Each bit counts, whether it stands in the name, the times or the signature.
TEST_F(MembershipCertificate, with_a_changed_bit_is_not_believed)
{
    ByteVector const certificate = issue(endpoint_);
    for (std::size_t i = 0; i < certificate.size(); ++i) {
        ByteVector changed = certificate;
        changed[i] ^= 1U;
        EXPECT_FALSE(check(changed).has_value()) << "byte " << i;
    }
}

TEST_F(MembershipCertificate, that_is_none_is_malformed)
{
    ByteVector const certificate = issue(endpoint_);
    EXPECT_EQ(error({}), MembershipError::malformed);
    for (std::size_t size = 1; size < certificate.size(); size += 7) {
        EXPECT_EQ(error(Bytes{certificate}.first(size)), MembershipError::malformed);
    }
    ByteVector longer = certificate;
    longer.push_back(0);
    EXPECT_EQ(error(longer), MembershipError::malformed);
    longer.resize(membership_size_max + 1);
    EXPECT_EQ(error(longer), MembershipError::malformed);
}

/// A certificate of the same issuer with another alternative name, critical or not.
ByteVector with_name(PrivateKey const& key, ByteVector const& certificate, char const* name)
{
    std::uint8_t const* position = certificate.data();
    std::unique_ptr<X509, OpensslFree<X509_free>> const changed(
        d2i_X509(nullptr, &position, static_cast<long>(certificate.size())));
    X509_EXTENSION_free(X509_delete_ext(changed.get(), 0));
    if (X509_EXTENSION* const extension =
            X509V3_EXT_nconf_nid(nullptr, nullptr, NID_subject_alt_name, name)) {
        X509_add_ext(changed.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(changed.get(), key.handle(), EVP_sha256());
    ByteVector der(static_cast<std::size_t>(i2d_X509(changed.get(), nullptr)));
    std::uint8_t* to = der.data();
    i2d_X509(changed.get(), &to);
    return der;
}

TEST_F(MembershipCertificate, PP_8_13_b_without_the_right_name_is_malformed)
{
    ByteVector const certificate = issue(endpoint_);
    std::string const id = to_hex(swarm_);
    std::string upper = id;
    std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
    EXPECT_TRUE(
        check(with_name(key_, certificate, ("critical,URI:file://192.0.2.0:6778/" + upper).c_str()))
            .has_value());
    std::string const good = "critical,URI:file://192.0.2.0:6778/" + id;
    std::vector<std::string> const bad{
        good.substr(std::string("critical,").size()), "critical,URI:http://192.0.2.0:6778/" + id,
        "critical,DNS:file." + id.substr(0, 40),      "critical,URI:file://192.0.2.0/" + id,
        "critical,URI:file://192.0.2.0:0/" + id,      "critical,URI:file://192.0.2.0:6778/xyz",
        "critical,URI:file://192.0.2.0:6778",         good + ",URI:file://192.0.2.1:6778/" + id};
    ASSERT_TRUE(check(with_name(key_, certificate, good.c_str())).has_value());
    for (std::string const& name : bad) {
        EXPECT_EQ(error(with_name(key_, certificate, name.c_str())), MembershipError::malformed)
            << name;
    }
}

} // namespace
} // namespace ppsp::integrity
