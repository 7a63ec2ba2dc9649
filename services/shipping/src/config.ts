import { text } from '@souk/config';

export const shippingSettings = {
  home: text({
    default: 'DE',
    pattern: /[A-Z]{2}/,
    allowed: 'a country code of two capital letters',
    describe: 'Country the goods are sent from: parcels within it are cheaper and faster.',
  }),
};
