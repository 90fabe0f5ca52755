#include "protocol/net/http_client.hpp"
#include "protocol/net/http_server.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace ppsp::net {
namespace {

using Exchanged = Result<HttpResponse, HttpError>;

struct Files {
    std::string certificate;
    std::string key;
};

void add_extension(X509* certificate, int id, char const* value)
{
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/// A certificate that signs itself, for the names in `alternatives` (as "IP:127.0.0.1").
Files make_certificate(std::filesystem::path const& folder, std::string const& name,
                       char const* alternatives)
{
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<unsigned char const*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    add_extension(certificate, NID_subject_alt_name, alternatives);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate, key, EVP_sha256());

    Files files{folder / (name + ".crt"), folder / (name + ".key")};
    FILE* out = std::fopen(files.certificate.c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
    out = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return files;
}

class NetTls : public testing::Test {
protected:
    NetTls()
    {
        std::string pattern = testing::TempDir() + "ppsp-tls-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~NetTls() override { std::filesystem::remove_all(folder_); }

    void serve(Files const& files)
    {
        HttpServerOptions options;
        options.listen = Endpoint::v4(0x7f00'0001, 0);
        options.tls_certificate_file = files.certificate;
        options.tls_key_file = files.key;
        auto opened = HttpServer::open(context_.get_executor(), options, [](HttpRequest const& r) {
            HttpReply reply;
            reply.body = r.is_tls ? "secret" : "plain";
            return reply;
        });
        ASSERT_TRUE(opened.has_value()) << opened.error();
        server_ = std::move(*opened);
    }

    Exchanged get(bool is_https, std::string const& ca_file)
    {
        HttpClientOptions options;
        options.ca_file = ca_file;
        HttpClient client(context_.get_executor(),
                          {is_https, "127.0.0.1", server_->local_endpoint().port(), "/"}, options);
        std::optional<Exchanged> result;
        co_spawn(context_, client.get("/"),
                 [&result](std::exception_ptr, Exchanged value) { result = std::move(value); });
        context_.restart();
        while (!result && context_.run_one() > 0) {
        }
        return *result;
    }

    std::filesystem::path folder_;
    io_context context_;
    std::unique_ptr<HttpServer> server_;
};

TEST_F(NetTls, a_trusted_certificate_with_the_right_name)
{
    auto const files = make_certificate(folder_, "right", "IP:127.0.0.1");
    serve(files);
    auto const response = get(true, files.certificate);
    ASSERT_TRUE(response.has_value()) << to_text(response.error());
    EXPECT_EQ(response->body, "secret");
}

TEST_F(NetTls, a_certificate_that_nobody_vouches_for)
{
    serve(make_certificate(folder_, "right", "IP:127.0.0.1"));
    auto const other = make_certificate(folder_, "other", "IP:127.0.0.1");
    EXPECT_EQ(get(true, other.certificate).error(), HttpError::tls_failed);
    EXPECT_EQ(get(true, "").error(), HttpError::tls_failed); // the system does not know it
}

TEST_F(NetTls, a_certificate_for_somebody_else)
{
    auto const files = make_certificate(folder_, "wrong", "IP:127.0.0.2,DNS:localhost");
    serve(files);
    EXPECT_EQ(get(true, files.certificate).error(), HttpError::tls_failed);
}

TEST_F(NetTls, plain_text_to_a_tls_port)
{
    auto const files = make_certificate(folder_, "right", "IP:127.0.0.1");
    serve(files);
    EXPECT_FALSE(get(false, "").has_value());
    EXPECT_TRUE(get(true, files.certificate).has_value()); // others are served as before
}

TEST_F(NetTls, missing_files_are_errors_with_a_name)
{
    EXPECT_EQ(([&] {
                  auto const files = make_certificate(folder_, "right", "IP:127.0.0.1");
                  serve(files);
                  return get(true, (folder_ / "none.crt").string()).error();
              }()),
              HttpError::tls_failed);
    HttpServerOptions options;
    options.listen = Endpoint::v4(0x7f00'0001, 0);
    options.tls_certificate_file = folder_ / "none.crt";
    auto const half = HttpServer::open(context_.get_executor(), options, {});
    ASSERT_FALSE(half.has_value());
    EXPECT_NE(half.error().find("both"), std::string::npos);
    options.tls_key_file = folder_ / "none.key";
    auto const missing = HttpServer::open(context_.get_executor(), options, {});
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().find("none.crt"), std::string::npos);
}

} // namespace
} // namespace ppsp::net
