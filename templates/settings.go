package templates

import (
	"io/fs"

	"github.com/cloakroom/cloakroom/setting"
)

// Options configure the operator's own pages.
type Options struct {
	Dir string // folder whose files override the embedded ones; "" for none
	// FS is such a folder in the program itself, such as an embed.FS; without effect if Dir is set. nil:
	// no file is overridden.
	FS fs.FS
}

// Settings are the keys of the pages.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "templates", Value: setting.String(&o.Dir),
			Doc: "A folder whose files replace the built-in ones of the same name " +
				"(`login_failed.html`, `page.css`, `locales/en.json`, …). Files that it does not have stay built in",
			Example: []string{"/etc/cloakroom/templates"},
		},
	}
}
