//! Where packages and files come from: mirrors, names, certificates, signatures.

use crate::build::why::model::{Entry, When, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W030",
        name: "mirror-404",
        title: "the mirror does not have what was asked for (404)",
        why: "An index that is older than the mirror names files that are gone; or the address is wrong; or the release has moved to \
              the archive.",
        signs: &[
            line(r"(?i)(?:https?|ftp)://(?<what>[a-z0-9.-]+)\S*.*\b404\b +Not Found", 88),
            line(r"\b404 +Not Found\b", 82),
            line(r"(?i)Status code: 404 for (?:https?)://(?<what>[a-z0-9.-]+)", 88),
            line(r"(?i)The requested URL returned error: 404|HTTP Error 404|ERROR 404|HTTP(?:/[0-9.]+)? 404", 84),
        ],
        remedies: &[
            say(
                "let step {step} fetch the index right before it installs: `apt-get update`, or `dnf makecache --refresh`",
            ),
            run("ask the mirror itself", "curl -sI http://{what}/"),
            say("a release at its end of life moves: see W039"),
        ],
    },
    Entry {
        code: "W031",
        name: "mirror-unreachable",
        title: "the mirror cannot be reached",
        why: "It is down, or the instance has no way to it: no NAT, a security group without outgoing 80 and 443, a proxy that is not \
              configured.",
        signs: &[
            line(
                r"(?i)(?:could not connect to|failed to connect to|connecting to) (?<what>[a-z0-9.-]+).*(?:refused|timed out|timeout|unreachable|failed)",
                88,
            ),
            line(r"(?i)\(111: Connection refused\)|Connection refused", 80),
            line(
                r"(?i)Connection timed out|Timeout was reached|Connection reset by peer|Network is unreachable|No route to host",
                76,
            ),
            line(r"(?i)Failed to connect to (?<what>[a-z0-9.-]+) port \d+", 88),
            line(r"(?i)Curl error \((?:7|28|35|56)\)", 82),
        ],
        remedies: &[
            run("try it in an instance of the parent", "amiforge shell {recipe}"),
            say("see that the subnet has a route out and the security group lets 80 and 443 out"),
            run("an outage passes; then", "amiforge build {recipe} --fresh"),
        ],
    },
    Entry {
        code: "W032",
        name: "dns",
        title: "a name cannot be resolved",
        why: "The VPC's resolver is off or not reachable (enableDnsSupport), the subnet has no way out, or the name has a mistake in it.",
        signs: &[
            line(r"(?i)Temporary failure (?:resolving|in name resolution)(?: '(?<what>[a-z0-9.-]+)')?", 90),
            line(r"(?i)Could not resolve (?:host|proxy)?:? ?'?(?<what>[a-z0-9.-]+)", 90),
            line(
                r"(?i)Name or service not known|No address associated with hostname|Curl error \(6\)|unable to resolve host address",
                88,
            ),
            line(r"(?i)Something wicked happened resolving '(?<what>[a-z0-9.-]+)", 88),
        ],
        remedies: &[
            run(
                "see whether the VPC resolves names",
                "aws ec2 describe-vpc-attribute --region {region} --vpc-id VPC --attribute enableDnsSupport",
            ),
            run("try the name in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W033",
        name: "certificate",
        title: "a certificate is not trusted",
        why: "ca-certificates is missing or old in the parent, or a proxy answers with its own certificate.",
        signs: &[
            line(
                r"(?i)SSL certificate problem|certificate verify failed|Certificate verification failed|Curl error \(60\)",
                86,
            ),
            line(
                r"(?i)x509: certificate signed by unknown authority|unable to get local issuer certificate|server certificate verification failed",
                88,
            ),
        ],
        remedies: &[
            say("install ca-certificates before the first https address; add the proxy's authority to the parent"),
            say("a certificate that is not valid yet means a wrong clock: see W034"),
        ],
    },
    Entry {
        code: "W034",
        name: "clock",
        title: "the clock of the instance is wrong",
        why: "Signatures and certificates have a time from which they are valid. An instance whose clock is behind sees them in its \
              future.",
        signs: &[
            line(r"(?i)is not valid yet \(invalid for another|Release file .* is not valid yet", 96),
            line(r"(?i)certificate is not yet valid|certificate has expired or is not yet valid", 92),
            line(
                r"(?i)RequestTimeTooSkewed|difference between the request time and the (?:current|server)|Signature not yet current",
                96,
            ),
        ],
        remedies: &[
            say("have chrony or systemd-timesyncd running in the parent before anything is fetched (169.254.169.123)"),
            run("see the clock in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W035",
        name: "index-expired",
        title: "the index of the repository has expired",
        why: "A mirror that is no longer updated still answers, with an index whose Valid-Until is past.",
        signs: &[line(
            r"(?i)Release file .* is expired|repository .* is expired|metadata .* (?:has expired|is too old)",
            92,
        )],
        remedies: &[
            say("take another mirror, or mend the synchronisation of this one"),
            say("only for a snapshot on purpose: Acquire::Check-Valid-Until \"false\""),
        ],
    },
    Entry {
        code: "W036",
        name: "signature-invalid",
        title: "the signature of the repository is wrong",
        why: "Its key has expired or was replaced, or something on the way changed the index.",
        signs: &[
            line(r"(?i)\b(?:BADSIG|EXPKEYSIG|REVKEYSIG|EXPSIG)\b", 94),
            line(r"(?i)signatures? (?:were|was|is) invalid|GPG signature verification error|Bad GPG signature", 92),
            line(r"(?i)(?:GPG check FAILED|does not verify: .*(?:BAD|NOTTRUSTED)|is not signed\b.*package)", 86),
        ],
        remedies: &[
            say("install the vendor's present key; `apt-key` keyrings and old *-keyring packages go stale"),
            say("never switch the check off: with it goes the only proof of where the packages come from"),
        ],
    },
    Entry {
        code: "W037",
        name: "gpg-key-missing",
        title: "the key of the repository is not installed",
        why: "The repository is signed by a key that the image does not know.",
        signs: &[
            line(r"(?i)\bNO_PUBKEY (?<what>[0-9A-F]{8,40})", 95),
            line(
                r"(?i)public key is not available|Public key for .* is not installed|couldn't be verified because the public key",
                93,
            ),
            line(r"(?i)The repository '[^']*' is not signed", 84),
            line(r"(?i)Failed to retrieve GPG key|GPG key .* (?:not found|is not available)", 90),
        ],
        remedies: &[
            say(
                "put the key into /etc/apt/keyrings and name it with signed-by=, or use rpm --import, before the repository is used",
            ),
            say("the key that is missing: {what}"),
        ],
    },
    Entry {
        code: "W038",
        name: "mirror-in-motion",
        title: "the mirror changed while it was read",
        why: "Index and files do not fit: the mirror was being synchronised, or a cache in between has the old half.",
        signs: &[
            line(r"(?i)Hash Sum mismatch|File has unexpected size|Mirror sync in progress", 90),
            line(
                r"(?i)Metadata file does not match checksum|repomd\.xml does not match metalink|Downloading successful, but checksum doesn't match",
                90,
            ),
        ],
        remedies: &[
            run("it passes within the hour", "amiforge build {recipe} --fresh"),
            say("when it does not: a proxy in between keeps an old index"),
        ],
    },
    Entry {
        code: "W039",
        name: "release-ended",
        title: "the release of the parent has reached its end, its repositories have moved",
        why: "Distributions take old releases off the mirrors. Nothing is patched there any more.",
        signs: &[
            line(r"(?i)does(?: not|n't) have a Release file|no longer has a Release file", 88),
            line(r"(?i)Cannot find a valid baseurl for repo", 90),
            line(
                r"(?i)No URLs in mirrorlist|mirrorlist\.centos\.org|Failed to download metadata for repo '(?<what>[^']+)'.*mirrorlist",
                92,
            ),
            line(r"(?i)404 +Not Found", 93)
                .also(r"(?i)\b(?:buster|stretch|jessie|bionic|xenial|focal|centos/?[678]|el7)\b")
                .when(When::Written),
        ],
        remedies: &[
            say("move the recipe to a release that is still kept (`os:` and `parent:`)"),
            say("only to read old packages: archive.debian.org, old-releases.ubuntu.com, vault.centos.org"),
        ],
    },
    Entry {
        code: "W040",
        name: "local-repository",
        title: "a repository of files is not there",
        why: "An address with file: is read on the machine itself. In the local environment the folder must be named in `bind`.",
        signs: &[
            line(r"(?i)file:/\S+.*File not found|File not found - (?<what>/\S+)", 93),
            line(r"(?i)Curl error \(37\)|Couldn't (?:open|read a) file(?::// | /)?", 88),
        ],
        remedies: &[
            say("name the folder in amiforge.yaml: environments: { local: { bind: [FOLDER] } }"),
            say("on AWS: copy it to the instance first (S3Download)"),
        ],
    },
    Entry {
        code: "W041",
        name: "checksum",
        title: "a file that was fetched is not the file that was expected",
        why: "Its checksum differs: the vendor released anew under the same name, the download was cut off, or an error page was saved \
              instead.",
        signs: &[
            line(r"(?i)computed checksums? did NOT match", 92),
            line(
                r"(?i)checksum (?:mismatch|does not match|verification failed|did not match)|digest mismatch|sha\d+ (?:mismatch|sum mismatch)",
                90,
            ),
        ],
        remedies: &[
            run("compute it of what the address gives now", "curl -fsSL URL | sha256sum"),
            say(
                "use curl -f, so that an error page is no file; name the version in the address and change both together",
            ),
        ],
    },
    Entry {
        code: "W042",
        name: "proxy",
        title: "a proxy refused the connection",
        why: "It wants a login, or does not allow the address.",
        signs: &[line(
            r"(?i)407 Proxy Authentication Required|Received HTTP code (?:403|407|502|503) from proxy|proxy CONNECT aborted",
            92,
        )],
        remedies: &[say(
            "set http_proxy, https_proxy and no_proxy (169.254.169.254 and the endpoints of AWS) in step {step}",
        )],
    },
];
